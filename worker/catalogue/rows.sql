-- The only query on the backend's own tables.

-- name: active_photos
-- The order depends only on the rows' contents.
SELECT product."Id"::text AS product_id, product."SKU" AS sku, product."Name" AS name,
    photo."FileName" AS file_name
FROM "Products" AS product
JOIN "ProductPhotos" AS photo ON photo."ProductId" = product."Id"
WHERE product."IsActive"
ORDER BY product."SKU" COLLATE "C", photo."DisplayOrder", photo."FileName" COLLATE "C", photo."Id";
