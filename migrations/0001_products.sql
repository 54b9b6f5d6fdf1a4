-- The backend's own tables. Where a backend has them, they are left exactly as they are; on an empty
-- database they are created with what the worker reads, so that it can be tried without a backend.

CREATE TABLE IF NOT EXISTS "Products" (
    "Id"        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "SKU"       varchar(50)  NOT NULL UNIQUE,
    "Name"      varchar(200) NOT NULL,
    "IsActive"  boolean      NOT NULL DEFAULT true,
    "CreatedAt" timestamptz  NOT NULL DEFAULT now(),
    "UpdatedAt" timestamptz  NOT NULL DEFAULT now()
);

-- A photo's file lies at STORAGE/products/<ProductId>/<FileName>.
CREATE TABLE IF NOT EXISTS "ProductPhotos" (
    "Id"           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "ProductId"    uuid         NOT NULL REFERENCES "Products" ("Id") ON DELETE CASCADE,
    "FileName"     varchar(256) NOT NULL,
    "DisplayOrder" integer      NOT NULL DEFAULT 0,
    "IsPrimary"    boolean      NOT NULL DEFAULT false,
    "CreatedAt"    timestamptz  NOT NULL DEFAULT now(),
    "UpdatedAt"    timestamptz  NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS "IX_ProductPhotos_ProductId_DisplayOrder"
    ON "ProductPhotos" ("ProductId", "DisplayOrder");
