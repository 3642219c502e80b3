-- weft.static with curl as the client: what it resumes, compares and unpacks.
local case = require "support.case"
local command = require "support.command"
local folder = require "support.folder"

local big = ("0123456789"):rep(100000)
local place

-- What curl writes for these arguments, the last of which is a path.
local function curl(t, listening, ...)
  local arguments = { "-s", "-S", "--noproxy", "*", ... }
  local path = table.remove(arguments)
  arguments[#arguments + 1] = ("http://127.0.0.1:%d%s"):format(listening:port(), path)
  local output, errors, status = command.start(t.weft, arguments, { program = { "curl" }, environment = { "-u", "LD_PRELOAD" } }):wait()
  assert.same({ "", 0 }, { errors, status })
  return output
end

describe("curl and weft.static", function()
  setup(function()
    place = folder.make {
      secret = "the-secret-outside", ["www/big.txt"] = big, ["www/sub/index.html"] = "of sub", ["www/a.html"] = ("text "):rep(1000),
    }
    place:run "gzip -k www/a.html"
  end)

  teardown(function()
    place:remove()
  end)

  local function serve(t)
    return t:listen { http = t.weft.static(place:at "www") }
  end

  it("fetch a file", case(function(t)
    assert.is_true(curl(t, serve(t), "/big.txt") == big)
  end))

  it("fetch parts of one", case(function(t)
    local listening = serve(t)
    assert.equal("56789", curl(t, listening, "-r", "5-9", "/big.txt"))
    assert.equal("789", curl(t, listening, "-r", "-3", "/big.txt"))
    assert.equal("416", curl(t, listening, "-r", "2000000-", "-o", "/dev/null", "-w", "%{http_code}", "/big.txt"))
  end))

  it("resume a download", case(function(t)
    place:write("half.txt", big:sub(1, 400000))
    local sent = curl(t, serve(t), "-C", "-", "-o", place:at "half.txt", "-w", "%{http_code} %{size_download}", "/big.txt")
    assert.equal("206 600000", sent)
    local file = assert(io.open(place:at "half.txt"))
    assert.is_true(file:read "*a" == big)
    file:close()
  end))

  it("compare an ETag and a date", case(function(t)
    local listening, etag = serve(t), place:at "etag"
    assert.equal("200", curl(t, listening, "--etag-save", etag, "-o", "/dev/null", "-w", "%{http_code}", "/big.txt"))
    assert.equal("304 0", curl(t, listening, "--etag-compare", etag, "-w", "%{http_code} %{size_download}", "/big.txt"))
    assert.equal("304 0", curl(t, listening, "-z", place:at "www/big.txt", "-w", "%{http_code} %{size_download}", "/big.txt"))
    assert.equal("200", curl(t, listening, "-z", "Sun, 06 Nov 1994 08:49:37 GMT", "-o", "/dev/null", "-w", "%{http_code}", "/big.txt"))
  end))

  it("unpack what was compressed", case(function(t)
    local listening = serve(t)
    assert.equal(("text "):rep(1000), curl(t, listening, "--compressed", "/a.html"))
    local size = curl(t, listening, "--compressed", "-o", "/dev/null", "-w", "%{size_download}", "/a.html")
    assert.is_true(tonumber(size) < 200)
  end))

  it("follow the redirect to a folder", case(function(t)
    local listening = serve(t)
    local output = curl(t, listening, "-L", "-w", " %{url_effective}", "/sub?a=b")
    assert.equal(("of sub http://127.0.0.1:%d/sub/?a=b"):format(listening:port()), output)
  end))

  it("ask for the head alone", case(function(t)
    local output = curl(t, serve(t), "-I", "/big.txt")
    assert.matches("^HTTP/1%.1 200 OK\r\n", output)
    assert.matches("Content%-Length: 1000000\r\n", output)
  end))

  it("do not get out", case(function(t)
    local listening = serve(t)
    for _, path in ipairs { "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/sub/../../secret" } do
      assert.equal("There is nothing at this path.\n404", curl(t, listening, "--path-as-is", "-w", "%{http_code}", path))
    end
  end))
end)
