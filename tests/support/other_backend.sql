-- A backend whose tables are called otherwise: ids are numbers, article numbers too, and more products are gone than
-- there. The views that docs/contract.md shows make it one that the worker knows.

CREATE TABLE shop_items (
    item_no bigint GENERATED ALWAYS AS IDENTITY (START WITH 4700) PRIMARY KEY,
    article integer NOT NULL UNIQUE,
    title text NOT NULL,
    discontinued boolean NOT NULL DEFAULT false
);

CREATE TABLE shop_images (
    image_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_no bigint NOT NULL REFERENCES shop_items (item_no) ON DELETE CASCADE,
    file text NOT NULL,
    position smallint NOT NULL
);

INSERT INTO shop_items (article, title, discontinued)
VALUES (900, 'Cup', false), (1000, 'Jug', false), (1100, 'Pen', true);

INSERT INTO shop_images (item_no, file, position)
SELECT item_no, format('%s-%s.jpg', article, number), 10 - number
FROM shop_items CROSS JOIN generate_series(1, 6) AS number;
