-- weft.static: what clients have already, and parts of files (RFC 9110, 13 and
-- 14).
local case = require "support.case"
local conditions = require "weft.conditions"
local date = require "weft.date"
local folder = require "support.folder"

local place
local CHANGED = 784111777 -- Sun, 06 Nov 1994 08:49:37 GMT
local TEN = "0123456789"

local function ask(t, listening, headers, method, path)
  local merged = { Connection = "close" }
  for name, value in pairs(headers) do
    merged[name] = value
  end
  return t:http(listening, { path = path or "/f.txt", method = method, headers = merged })
end

local function serve(t, options)
  return t:listen { http = t.weft.static(place.path, options) }
end

setup(function()
  place = folder.make { ["f.txt"] = TEN, ["f.txt.gz"] = "packed", empty = "", g = "other", new = "new" }
  place:touch("f.txt", CHANGED)
  place:touch("f.txt.gz", CHANGED)
  place:touch("empty", CHANGED)
end)

teardown(function()
  place:remove()
end)

describe("dates", function()
  it("are written as HTTP wants them", function()
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT", date.format(CHANGED))
    assert.equal("Thu, 01 Jan 1970 00:00:00 GMT", date.format(0))
    assert.equal("Wed, 31 Dec 1969 23:59:59 GMT", date.format(-1))
    assert.equal("Tue, 29 Feb 2000 12:00:00 GMT", date.format(951825600))
    assert.equal("Tue, 19 Jan 2038 03:14:08 GMT", date.format(2147483648))
  end)

  it("are read in the three forms", function()
    for _, text in ipairs {
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    } do
      assert.equal(CHANGED, date.parse(text), text)
    end
    local now = date.parse "Fri, 27 Nov 2026 00:00:00 GMT"
    for year, full in pairs { ["26"] = 2026, ["76"] = 2076, ["77"] = 1977, ["00"] = 2000, ["99"] = 1999 } do
      local seconds = date.parse("Sunday, 06-Nov-" .. year .. " 08:49:37 GMT", now)
      assert.equal(tostring(full), date.format(seconds):match " (%d%d%d%d) ", year)
    end
    for seconds = -5000000000, 9000000000, 86399 * 77 do
      assert.equal(seconds, date.parse(date.format(seconds)))
    end
  end)

  it("are refused in others", function()
    for _, text in ipairs {
      "", "now", "784111777", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
      "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
      "Sun, 06 Nov 1994 08:49:61 GMT", "Xxx, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "1994-11-06T08:49:37Z",
      "Sun, 29 Feb 1999 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
      "Sun, 06-Nov-94 08:49:37 GMT", "Sunday Nov  6 08:49:37 1994", "Sun Nov 6 08:49:37 1994", "Sun, 06 Nov 1994 8:49:37 GMT",
    } do
      assert.is_nil(date.parse(text), text)
    end
  end)
end)

describe("the validators of weft.static", function()
  it("stay while the file does, and change with it", case(function(t)
    local listening = serve(t)
    local first, again = ask(t, listening, {}, "GET", "/g").headers, ask(t, listening, {}, "GET", "/g").headers
    again.date = first.date -- when each was sent
    assert.same(first, again)
    local seen = { [first.etag] = true }
    for _, change in ipairs {
      function() place:write("g", "OTHER, longer") end,
      function() place:touch("g", 1000000000) end,
      function() place:touch("g", 1000000001) end,
      function() place:write("g2", "OTHER, longer") place:touch("g2", 1000000001) place:run "mv g2 g" end, -- another file
    } do
      change()
      local etag = ask(t, listening, {}, "GET", "/g").headers.etag
      assert.is_nil(seen[etag])
      seen[etag] = true
    end
  end))

  it("never name a time to come", case(function(t)
    local listening = serve(t)
    place:touch("new", os.time() + 100000)
    local answer = ask(t, listening, {}, "GET", "/new")
    assert.is_true(date.parse(answer.headers["last-modified"]) <= os.time())
  end))
end)

-- The answer to a request for f.txt whose headers name its ETag and date.
local function conditional(t, headers, method)
  local listening = serve(t, { max_age = 60 })
  local known = ask(t, listening, {}).headers
  local packed = ask(t, listening, { ["Accept-Encoding"] = "gzip" }).headers
  local named = {}
  for name, value in pairs(headers) do
    named[name] = value:gsub("ETAG", known.etag):gsub("GZIP", packed.etag):gsub("SAME", known["last-modified"])
                  :gsub("LATER", date.format(CHANGED + 1)):gsub("EARLIER", date.format(CHANGED - 1))
  end
  return ask(t, listening, named, method), known, packed
end

describe("the preconditions of a request to weft.static", function()
  for _, row in ipairs {
    { 304, "If-None-Match", "ETAG" }, { 304, "If-None-Match", "W/ETAG" }, { 304, "If-None-Match", "*" },
    { 304, "If-None-Match", '"x", ETAG' }, { 304, "If-None-Match", '"x",W/ETAG,"y"' }, { 304, "If-None-Match", '"a,b" , ETAG' },
    { 200, "If-None-Match", '"x"' }, { 200, "If-None-Match", "" }, { 200, "If-None-Match", "GZIP" }, { 200, "If-None-Match", "x" },
    { 200, "If-None-Match", '"' }, { 200, "If-None-Match", '"*"' }, { 200, "If-None-Match", '"x ETAG"' },
    { 304, "If-None-Match", "ETAG", "If-Modified-Since", "EARLIER" }, { 200, "If-None-Match", '"x"', "If-Modified-Since", "LATER" },
    { 304, "If-Modified-Since", "SAME" }, { 304, "If-Modified-Since", "LATER" }, { 200, "If-Modified-Since", "EARLIER" },
    { 304, "If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT" }, { 304, "If-Modified-Since", "Sun Nov  6 08:49:37 1994" },
    { 200, "If-Modified-Since", "nonsense" }, { 200, "If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 EST" },
    { 200, "If-Match", "ETAG" }, { 200, "If-Match", "*" }, { 200, "If-Match", '"x", ETAG' }, { 412, "If-Match", '"x"' },
    { 412, "If-Match", "W/ETAG" }, { 412, "If-Match", "" }, { 412, "If-Match", "GZIP" },
    { 200, "If-Unmodified-Since", "SAME" }, { 200, "If-Unmodified-Since", "LATER" }, { 412, "If-Unmodified-Since", "EARLIER" },
    { 200, "If-Unmodified-Since", "nonsense" }, { 200, "If-Match", "ETAG", "If-Unmodified-Since", "EARLIER" },
    { 412, "If-Match", '"x"', "If-None-Match", "ETAG" }, { 304, "If-Match", "ETAG", "If-None-Match", "ETAG" },
    { 412, "If-Unmodified-Since", "EARLIER", "If-None-Match", "ETAG" }, { 304, "If-None-Match", "ETAG", "Range", "bytes=0-1" },
    { 412, "If-Match", '"x"', "Range", "bytes=0-1" }, { 304, "If-None-Match", "ETAG", "Range", "bytes=100-" },
    { 304, "If-None-Match", "GZIP", "Accept-Encoding", "gzip" }, { 200, "If-None-Match", "ETAG", "Accept-Encoding", "gzip" },
  } do
    it(("%s: %s, %s: %s: %d"):format(row[2], row[3], row[4] or "nothing", row[5] or "else", row[1]), case(function(t)
      local headers = { [row[2]] = row[3], [row[4] or row[2]] = row[5] or row[3] }
      local answer, known, packed = conditional(t, headers)
      assert.equal(row[1], answer.status)
      if answer.status == 304 then
        local expected = headers["Accept-Encoding"] and packed or known
        assert.same({ "", expected.etag, expected["last-modified"], "Accept-Encoding", "max-age=60" }, {
          answer.body, answer.headers.etag, answer.headers["last-modified"], answer.headers.vary, answer.headers["cache-control"],
        })
        assert.is_nil(answer.headers["content-type"])
      end
      assert.equal(row[1], (conditional(t, headers, "HEAD")).status)
    end))
  end
end)

describe("a range of a file", function()
  for _, row in ipairs {
    { "bytes=0-3", "0123", "0-3" }, { "bytes=4-", "456789", "4-9" }, { "bytes=-3", "789", "7-9" }, { "bytes=9-9", "9", "9-9" },
    { "bytes=0-0", "0", "0-0" }, { "bytes=5-100", "56789", "5-9" }, { "bytes=-100", TEN, "0-9" }, { "bytes=0-", TEN, "0-9" },
    { "bytes=0-99999999999999999999999999", TEN, "0-9" }, { "bytes=-99999999999999999999999999", TEN, "0-9" },
    { "BYTES=1-2", "12", "1-2" }, { "bytes= 1-2", "12", "1-2" }, { "bytes=000000000000000000000001-2", "12", "1-2" },
  } do
    it("is sent for " .. row[1], case(function(t)
      local answer = ask(t, serve(t), { Range = row[1] })
      assert.same({ 206, row[2], "bytes " .. row[3] .. "/10", tostring(#row[2]) }, {
        answer.status, answer.body, answer.headers["content-range"], answer.headers["content-length"],
      })
      assert.equal("text/plain; charset=utf-8", answer.headers["content-type"])
    end))
  end

  for _, range in ipairs {
    "bytes=3-2", "bytes=", "bytes=-", "bytes", "bytes=a-b", "lines=0-3", "bytes=0-1,4-5", "bytes=0-1, 4-5", "bytes 0-3", "bytes=1",
    "bytes=--1", "bytes=1--2", "bytes=+1-2", "bytes=0x1-2", "bytes=1.0-2", "", "bytes=0-3;", "xbytes=0-3",
  } do
    it(("is not sent for %q, but the whole"):format(range), case(function(t)
      local answer = ask(t, serve(t), { Range = range })
      assert.same({ 200, TEN, nil }, { answer.status, answer.body, answer.headers["content-range"] })
    end))
  end

  for _, range in ipairs { "bytes=10-", "bytes=10-20", "bytes=100-", "bytes=-0", "bytes=99999999999999999999999999-" } do
    it("that is not there, " .. range .. ", is answered with 416", case(function(t)
      local answer = ask(t, serve(t), { Range = range })
      assert.same({ 416, "bytes */10" }, { answer.status, answer.headers["content-range"] })
      assert.is_nil(answer.body:find("0", 1, true))
    end))
  end

  it("of an empty file is there or not", case(function(t)
    local listening = serve(t)
    assert.equal(416, ask(t, listening, { Range = "bytes=0-" }, "GET", "/empty").status)
    assert.equal(200, ask(t, listening, { Range = "bytes=-5" }, "GET", "/empty").status)
  end))

  it("means nothing to HEAD", case(function(t)
    local answer = ask(t, serve(t), { Range = "bytes=0-3" }, "HEAD")
    assert.same({ 200, "10" }, { answer.status, answer.headers["content-length"] })
    assert.equal(200, ask(t, serve(t), { Range = "bytes=10-" }, "HEAD").status)
  end))

  it("of a compressed file is one of its bytes", case(function(t)
    local answer = ask(t, serve(t), { Range = "bytes=0-2", ["Accept-Encoding"] = "gzip" })
    assert.same({ 206, "pac", "gzip", "bytes 0-2/6" },
      { answer.status, answer.body, answer.headers["content-encoding"], answer.headers["content-range"] })
  end))

  for condition, partial in pairs {
    ["ETAG"] = true, ["SAME"] = true, ["W/ETAG"] = false, ['"x"'] = false, ["LATER"] = false, ["EARLIER"] = false, ["GZIP"] = false,
    ["nonsense"] = false, ["*"] = false, ["Sun Nov  6 08:49:37 1994"] = true,
  } do
    it("is " .. (partial and "" or "not ") .. "sent with If-Range: " .. condition, case(function(t)
      local answer = conditional(t, { Range = "bytes=0-3", ["If-Range"] = condition })
      assert.same(partial and { 206, "0123" } or { 200, TEN }, { answer.status, answer.body })
    end))
  end

  it("is not given by If-Range when it is not asked for", case(function(t)
    assert.equal(200, (conditional(t, { ["If-Range"] = "ETAG" })).status)
    assert.equal(200, (conditional(t, { ["If-Range"] = '"x"', Range = "bytes=100-" })).status)
  end))

  it("is not given by the date of a file that changed in this second (13.1.5)", function()
    local representation = { etag = '"x"', modified = CHANGED, size = 10 }
    local headers = { range = "bytes=0-3", ["if-range"] = date.format(CHANGED) }
    assert.is_nil(conditions.range(headers, representation, CHANGED))
    assert.same({ 0, 4 }, { conditions.range(headers, representation, CHANGED + 1) })
  end)
end)
