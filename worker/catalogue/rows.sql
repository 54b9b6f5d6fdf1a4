-- The only query on the backend's own tables.

-- name: active_photos
-- The order depends only on the rows' contents. In a backend's views the columns may be of any type.
SELECT product."Id"::text AS product_id, product."SKU"::text AS sku, product."Name"::text AS name,
    photo."FileName"::text AS file_name, photo."Id"::text AS photo_id
FROM "Products" AS product
JOIN "ProductPhotos" AS photo ON photo."ProductId" = product."Id"
WHERE product."IsActive"
ORDER BY product."SKU"::text COLLATE "C", photo."DisplayOrder", photo."FileName"::text COLLATE "C", photo."Id";
