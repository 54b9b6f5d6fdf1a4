-- A backend's own database, as EF Core creates it: columns without defaults, ids from the application,
-- tables and columns unknown to the worker, and an existing "ModelMetadata".

CREATE TABLE "Suppliers" ("Id" uuid PRIMARY KEY, "Name" text NOT NULL);

CREATE TABLE "Products" (
    "Id" uuid PRIMARY KEY,
    "SKU" varchar(50) NOT NULL UNIQUE,
    "Name" varchar(200) NOT NULL,
    "Price" numeric(18, 2) NOT NULL,
    "SupplierId" uuid REFERENCES "Suppliers" ("Id"),
    "IsActive" boolean NOT NULL
);

CREATE TABLE "ProductPhotos" (
    "Id" uuid PRIMARY KEY,
    "ProductId" uuid NOT NULL REFERENCES "Products" ("Id") ON DELETE CASCADE,
    "FileName" varchar(256) NOT NULL,
    "DisplayOrder" integer NOT NULL,
    "UploadedBy" text
);

CREATE TABLE "ModelMetadata" (
    "Id" uuid PRIMARY KEY,
    "Version" varchar(50) NOT NULL UNIQUE,
    "TrainedAt" timestamptz NOT NULL,
    "ModelPath" varchar(500) NOT NULL,
    "AccuracyMetrics" varchar(2000),
    "TotalPhotosUsed" integer NOT NULL,
    "TotalProductsUsed" integer NOT NULL,
    "IsActive" boolean NOT NULL,
    "Notes" varchar(1000),
    "CreatedAt" timestamptz NOT NULL,
    "UpdatedAt" timestamptz NOT NULL
);
