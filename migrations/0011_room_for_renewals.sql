-- oldest worker: 0.1.0
-- Room in each page for the rows that are renewed in it. Pages that are full already get it as their rows go.

ALTER TABLE "TrainingJobs" SET (fillfactor = 70);
