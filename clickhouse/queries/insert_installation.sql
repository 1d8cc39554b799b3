-- Says whose storage this is, at the time of the server: of two that write at once the first stays.
-- Params: installation String.
INSERT INTO installations SELECT {installation:String}, now64(6, 'UTC')
