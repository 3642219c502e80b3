--- What the ends of file names say about their content: media types by
--- extension, in lower case.  Internal.

local text = {
  css = "text/css", csv = "text/csv", htm = "text/html", html = "text/html",
  ics = "text/calendar", js = "text/javascript", lua = "text/x-lua",
  md = "text/markdown", mjs = "text/javascript", txt = "text/plain",
  log = "text/plain", vtt = "text/vtt",
}

local types = {
  ["7z"] = "application/x-7z-compressed",
  aac = "audio/aac",
  apng = "image/apng",
  atom = "application/atom+xml",
  avif = "image/avif",
  bin = "application/octet-stream",
  bmp = "image/bmp",
  br = "application/x-brotli",
  bz2 = "application/x-bzip2",
  epub = "application/epub+zip",
  flac = "audio/flac",
  gif = "image/gif",
  gz = "application/gzip",
  ico = "image/x-icon",
  jpeg = "image/jpeg",
  jpg = "image/jpeg",
  json = "application/json",
  jsonld = "application/ld+json",
  m4a = "audio/mp4",
  m4v = "video/mp4",
  map = "application/json",
  mov = "video/quicktime",
  mp3 = "audio/mpeg",
  mp4 = "video/mp4",
  oga = "audio/ogg",
  ogg = "audio/ogg",
  ogv = "video/ogg",
  opus = "audio/ogg",
  otf = "font/otf",
  pdf = "application/pdf",
  png = "image/png",
  rss = "application/rss+xml",
  svg = "image/svg+xml",
  tar = "application/x-tar",
  tif = "image/tiff",
  tiff = "image/tiff",
  ttf = "font/ttf",
  wasm = "application/wasm",
  wav = "audio/wav",
  weba = "audio/webm",
  webm = "video/webm",
  webmanifest = "application/manifest+json",
  webp = "image/webp",
  woff = "font/woff",
  woff2 = "font/woff2",
  xhtml = "application/xhtml+xml",
  xml = "application/xml",
  xz = "application/x-xz",
  zip = "application/zip",
  zst = "application/zstd",
}

for extension, name in pairs(text) do
  types[extension] = name .. "; charset=utf-8"
end

return types
