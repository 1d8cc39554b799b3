-- Whose storage this is: the installation that Postgres names. The first one stays; events of two would count as one's.
CREATE TABLE installations
(
    installation String,
    since DateTime64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY since
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
