-- weft.static: no path leads out of its directory, nor to what is hidden in it.
local case = require "support.case"
local folder = require "support.folder"
local handshake = require "support.handshake"
local patience = require "support.patience"

local SECRET = "the-secret-outside"
local long = ("a"):rep(300)

-- What is refused, beneath the root, and is so under a route as well.  "^" is
-- where the server itself, which takes no such target, may say 400.
local hostile = {
  "/../secret", "/../../secret", "/sub/../../secret", "/./../secret",
  "/sub/../index.html", "/./index.html", "/sub/.", "/sub/..", "/sub/../", "/..", "/.", "/../",
  "/%2e%2e/secret", "/%2E%2E/secret", "/.%2e/secret", "/%2e./secret", "/%2e/index.html",
  "/..%2fsecret", "/%2e%2e%2fsecret", "/sub%2f..%2f..%2fsecret", "/sub%2F..%2Findex.html",
  "/%252e%252e/secret", "/%252e%252e%252fsecret", "/..%252fsecret", "/%25252e%25252e/secret",
  "/..\\secret", "/..%5csecret", "/..%5Csecret", "/sub\\..\\..\\secret", "/%5c..%5csecret", "/\\",
  "/..%00/secret", "/index.html%00", "/index.html%00.txt", "/%00", "/sub%00/../index.html",
  "//", "//index.html", "//secret", "///", "/sub//index.html", "/sub//", "//sub", "//sub/",
  "/%2f", "/%2fetc/passwd", "/%2F%2Fetc/passwd", "//etc/passwd", "/sub%2findex.html", "/sub%2f",
  "/%c0%ae%c0%ae/secret", "/%c0%ae%c0%ae%c0%afsecret", "/%e0%80%ae%e0%80%ae/secret", "/%f0%80%80%ae./secret",
  "/%uff0e%uff0e/secret", "/%u002e%u002e/secret", "/..%c0%afsecret", "/%c1%9c..%c1%9csecret",
  "/...", "/.../secret", "/..../secret", "/.. /secret^", "/..%20/secret", "/%20../secret", "/..;/secret", "/..;x=1/secret",
  "/index.html.", "/index.html..", "/index.html%20", "/index.html/", "/index.html/.", "/index.html/..", "/index.html/x",
  "/sub.", "/sub./index.html", "/index.html::$DATA", "/C:/secret", "/C:%5csecret", "/~ana", "/~", "/-",
  "/.git", "/.git/", "/.git/config", "/.hidden", "/%2ehidden", "/%2Egit/config", "/sub/.hidden", "/.git%2fconfig", "/sub/.git/",
  "/%", "/%2", "/%zz", "/index%2", "/%2x", "/index.html%", "/%%32%65%%32%65/secret",
  "/link", "/link.txt", "/outside", "/outside/", "/outside/secret", "/outside/../secret", "/inside/index.html",
  "/inside", "/inside/", "/absolute", "/loop", "/loop/", "/slash", "/slash/", "/sub/up/secret", "/sub/up/", "/linked.html",
  "/fifo", "/fifo/", "/socket", "/%0d%0aX-Evil:%201", "/index.html%0d%0a", "/%7f", "/%01", "/sub/%0a",
  "/" .. long, "/" .. long .. "/index.html", "/" .. ("a/"):rep(2000), "/" .. ("sub/../"):rep(500) .. "../secret",
  "/" .. ("../"):rep(1000) .. "secret", "/" .. ("%2e%2e/"):rep(500), "/" .. ("/"):rep(3000),
}

local function make()
  local place = folder.make {
    secret = SECRET, ["www/index.html"] = "the index", ["www/sub/index.html"] = "of sub", ["www/sub/a b+c.txt"] = "blanks",
    ["www/.git/config"] = SECRET, ["www/.hidden"] = SECRET, ["www/sub/.hidden"] = SECRET, ["www/sub/.git/config"] = SECRET,
    ["www/100%"] = "percent", ["www/a..b"] = "dots", ["www/empty/"] = true, ["www/e..vil/index.html"] = "e..vil",
    ["www/\u{e9}t\u{e9}.txt"] = "summer", ["www/%2e%2e"] = "literal", ["www/a&b=c"] = "signs",
    ["www/.well-known/x"] = SECRET,
  }
  place:link("../secret", "www/link")
  place:link("../secret", "www/link.txt")
  place:link("..", "www/outside")
  place:link("sub", "www/inside")
  place:link("index.html", "www/linked.html")
  place:link(place:at "secret", "www/absolute")
  place:link("/", "www/slash")
  place:link("loop", "www/loop")
  place:link("../..", "www/sub/up")
  place:run "mkfifo www/fifo"
  return place
end

describe("weft.static", function()
  local place

  setup(function()
    place = make()
  end)

  teardown(function()
    place:remove()
  end)

  -- The answer to a target, of which nothing may be secret.
  local function ask(t, listening, target, headers)
    local merged = { Connection = "close" }
    for name, value in pairs(headers or {}) do
      merged[name] = value
    end
    local answer = t:http(listening, { path = target, headers = merged })
    assert.is_nil((answer.text .. answer.body):find(SECRET, 1, true), target)
    assert.is_nil(answer.headers["x-evil"])
    return answer
  end

  local function refuses(t, listening, prefix, more)
    for _, row in ipairs(hostile) do
      local target, blank = row:gsub("%^$", "")
      local answer = ask(t, listening, prefix .. target, more)
      local good = answer.status == 404 or answer.status == 400 and (blank > 0 or target:find "[ \128-\255]")
      assert.is_true(good, ("%s: %d"):format(target, answer.status))
      assert.is_nil(answer.headers.location)
    end
  end

  it("refuses every path that would lead out of it", case(function(t)
    assert.is_true(#hostile > 100)
    refuses(t, t:listen { http = t.weft.static(place:at "www") }, "")
  end, 60))

  it("refuses them under a route", case(function(t)
    refuses(t, t:listen { http = { ["/some/files/*"] = t.weft.static(place:at "www") } }, "/some/files")
  end, 60))

  it("refuses them under a route with a name before it", case(function(t)
    refuses(t, t:listen { http = { ["/:user/*"] = t.weft.static(place:at "www") } }, "/a%2Fb")
  end, 60))

  it("refuses them in the absolute form", case(function(t)
    refuses(t, t:listen { http = t.weft.static(place:at "www") }, "http://127.0.0.1")
  end, 60))

  it("refuses them to who takes gzip", case(function(t)
    refuses(t, t:listen { http = t.weft.static(place:at "www") }, "", { ["Accept-Encoding"] = "gzip" })
  end, 60))

  it("sends the fallback, and nothing else, in their place", case(function(t)
    local listening = t:listen { http = t.weft.static(place:at "www", { fallback = "index.html" }) }
    for _, row in ipairs(hostile) do
      local answer = ask(t, listening, (row:gsub("%^$", "")))
      assert.is_true(answer.status == 404 or answer.status == 400
                     or answer.status == 200 and answer.body == "the index", row)
    end
  end, 60))

  it("sends nothing but them when dot files are served", case(function(t)
    local listening = t:listen { http = t.weft.static(place:at "www", { dotfiles = true }) }
    local answer = t:http(listening, { path = "/.git/config", headers = { Connection = "close" } })
    assert.same({ 200, SECRET }, { answer.status, answer.body })
    for _, row in ipairs(hostile) do
      local target = row:gsub("%^$", "")
      if not target:find "[.E]git" and not target:find "hidden" then
        assert.not_equal(200, ask(t, listening, target).status, target)
      end
    end
  end, 60))

  it("sends files with odd names", case(function(t)
    local listening = t:listen { http = t.weft.static(place:at "www") }
    for target, body in pairs {
      ["/"] = "the index", ["/?../secret"] = "the index", ["/sub/"] = "of sub", ["/%73ub/index%2ehtml"] = "of sub",
      ["/sub/a%20b+c.txt"] = "blanks", ["/100%25"] = "percent", ["/a..b"] = "dots", ["/e..vil/"] = "e..vil",
      ["/%C3%A9t%c3%a9.txt"] = "summer", ["/a&b=c"] = "signs", ["/%252e%252e"] = "literal",
      ["http://elsewhere"] = "the index", ["http://elsewhere?x"] = "the index", ["http://elsewhere/sub/?x"] = "of sub",
    } do
      local answer = ask(t, listening, target)
      assert.same({ 200, body }, { answer.status, answer.body }, target)
    end
  end))

  it("takes its part of a route, however that is written", case(function(t)
    local listening = t:listen { http = {
      ["/files/*"] = t.weft.static(place:at "www"), ["/u/:name/x/*"] = t.weft.static(place:at "www"),
    } }
    for target, expected in pairs {
      ["/files/"] = 200, ["/files/index.html"] = 200, ["/f%69les/index.html"] = 200, ["/files/sub/index.html?files/"] = 200,
      ["/u/a%2Fb/x/sub/"] = 200, ["/u/a%2F..%2Fb/x/index.html"] = 200, ["/u/%2F%2F/x/index.html"] = 200, ["/u/a/x/"] = 200,
      ["/files"] = 404, ["/files/files/"] = 404, ["/files/sub%2Findex.html"] = 404, ["/u/a/x/x/index.html"] = 404,
      ["/files/%2Findex.html"] = 404, ["/files//index.html"] = 404, ["/files/../index.html"] = 404,
    } do
      assert.equal(expected, ask(t, listening, target).status, target)
    end
  end))

  it("never redirects to another host", case(function(t)
    place:write("www/evil.example/index.html", "not evil")
    place:write("www/a:b/index.html", "no scheme")
    place:write("www/q?r/index.html", "no query")
    place:write("www/\u{e9}/index.html", "no ASCII")
    place:write("www/%2f/index.html", "no slash")
    local listening = t:listen { http = t.weft.static(place:at "www") }
    for target, location in pairs {
      ["/sub"] = "./sub/", ["/sub?a=b&c"] = "./sub/?a=b&c", ["/sub?"] = "./sub/?", ["/sub?//evil.example"] = "./sub/?//evil.example",
      ["/%73ub"] = "./sub/", ["/evil.example"] = "./evil.example/", ["/a:b"] = "./a%3Ab/", ["/q%3fr"] = "./q%3Fr/",
      ["/%C3%A9"] = "./%C3%A9/", ["http://evil.example/sub"] = "./sub/", ["/%252f"] = "./%252f/",
    } do
      local answer = ask(t, listening, target)
      assert.same({ 301, location }, { answer.status, answer.headers.location }, target)
    end
    for _, target in ipairs {
      "//evil.example", "//evil.example/", "/\\evil.example", "/%5cevil.example", "/%2fevil.example", "//evil.example/%2e%2e",
    } do
      local answer = ask(t, listening, target)
      assert.equal(404, answer.status, target)
      assert.is_nil(answer.headers.location)
    end
  end))
end)

-- Renames a folder and puts a link to the outside in its place, a file and a link
-- to the secret, and back, until it is told to stop.
local SWAP = [[
until [ -e stop ]; do
  mv www/d www/kept; ln -s ../outside www/d; rm www/d; mv www/kept www/d
  ln -s ../outside/f www/next; mv www/next www/f; rm www/f; cp www/public www/new; mv www/new www/f
done
touch stopped
]]

describe("what is swapped while weft.static serves it", function()
  local place

  before_each(function()
    place = folder.make {
      ["www/d/f"] = "inner", ["www/public"] = "inner", ["www/f"] = "inner", ["outside/f"] = SECRET, ["swap.sh"] = SWAP,
    }
    place:run "(timeout 60 sh swap.sh >/dev/null 2>&1 &)"
  end)

  after_each(function()
    place:run "touch stop; for i in $(seq 500); do [ -e stopped ] && break; sleep 0.01; done"
    place:remove()
  end)

  it("is never followed out of the directory", case(function(t)
    local listening = t:listen { http = t.weft.static(place:at "www") }
    local seen = { [200] = 0, [404] = 0 }
    local deadline = t.weft.now() + patience(20)
    while seen[200] < 300 or seen[404] < 10 do
      assert.is_true(t.weft.now() < deadline, "nothing was swapped")
      for _, target in ipairs { "/d/f", "/f" } do
        local raw = t:dial(listening)
        raw:send(handshake.http { path = target })
        local answer = raw:answer()
        raw:close()
        assert.is_true(answer.status == 404 or answer.status == 200 and answer.body == "inner", answer.text .. answer.body)
        seen[answer.status] = seen[answer.status] + 1
      end
    end
  end, 30))
end)
