--- WebSockets for Lua: a C core under an API in which application logic is
--- written as coroutines.
---
--- Calls on open things fail with nil and a word ("closed", "timeout", "full",
--- "connecting", "cancelled"), openers with nil, a sentence and a code; a
--- programming mistake raises at the caller's line.

local core = require "weft.core"
local adapters = require "weft.adapters"
local check = require "weft.check"
local client = require "weft.client"
local descriptor = require "weft.descriptor"
local errors = require "weft.errors"
local fallback = require "weft.fallback"
local specs = require "weft.options"
local http = require "weft.http"
local inherited = require "weft.inherited"
local requests = require "weft.request"
local pair = require "weft.pair"
local protocol = require "weft.protocol"
local reconnecting = require "weft.reconnecting"
local server = require "weft.server"
local serving = require "weft.serving"
local static = require "weft.static"
local tls = require "weft.tls"
local workers = require "weft.workers"
local wrap = require "weft.wrap"

local wait_modes = { r = "r", w = "w", rw = "rw", wr = "rw" }

local function wait_mode(value)
  return wait_modes[value], "'r', 'w' or 'rw'"
end

local queue_limit = check.whole(1, math.huge, "a whole number, 1 or more, or math.huge")

local pollers = { [""] = true, poll = true, epoll = true, kqueue = true }

-- Whether the environment asks for poll(2); any other name is for the best that
-- the system has.
local function forces_poll()
  local name = os.getenv("WEFT_POLLER") or ""
  if not pollers[name] then
    error("WEFT_POLLER in the environment: expected poll, epoll, kqueue or"
          .. " nothing, got " .. check.show(name), 0)
  end
  return name == "poll"
end

local function new()
  local loop = core.loop(forces_poll())
  local reporter = errors.new()
  local serves = serving.new(loop)
  local contexts = tls.cache()
  local attached = {}

  core.hooks(loop, {
    error = reporter.report,
    request = function(ws)
      local head = core.head(ws, "request")
      return head and requests.new(head, ws, core.plan(ws))
    end,
    response = function(ws)
      local head = core.head(ws, "response")
      return head and http.response(head, core.body(ws))
    end,
  })

  --- A WebSocket library. `require "weft"` gives the default instance;
  --- `weft.new()` makes independent ones. Functions are called with a dot.
  ---@class weft
  ---@field _VERSION string "weft 1.0.0"
  ---@field loop weft.Loop the event loop
  ---@field protocol weft.protocol the protocol without I/O
  ---@field adapters weft.Adapters for the loops of others
  local weft = {
    _VERSION = "weft 1.0.0",
    loop = loop,
    protocol = protocol,
  }
  weft.adapters = adapters.new(weft, attached)

  --- Makes an independent instance, with its own loop. Objects belong to their
  --- instance; mixing them raises.
  ---@return weft
  function weft.new()
    return new()
  end

  --- Closes this instance: its connections are aborted, its servers closed, its
  --- tasks cancelled, and it is taken out of the loops it is attached to.
  function weft.close()
    if not core.in_turn(loop) then
      adapters.close(attached)
    end
    core.close(loop)
  end

  --- Binds, and accepts connections as long as the loop runs. Never waits.
  ---@param options weft.ListenOptions
  ---@return weft.Server|nil server
  ---@return string? message a sentence, when it failed
  ---@return string? code "in_use", "permission", "dns", "tls" or "system"
  function weft.listen(options)
    core.check(loop, "weft.listen")
    local checked = server.check(specs.listen, "weft.listen", options, 2)
    return server.open(loop, checked)
  end

  --- The listening sockets that whoever started this process has handed to it, as
  --- systemd does with a socket unit (LISTEN_FDS in the environment): descriptors
  --- for the option `fd`, in order, and by name, if they have any. Both are empty
  --- when there are none, and in every process but the one they are meant for:
  --- `weft.serve { fd = weft.listen_fds()[1], websocket = handler }`.
  ---@return integer[] descriptors
  ---@return table<string, integer> by_name
  function weft.listen_fds()
    return inherited.descriptors()
  end

  --- Listens, and runs the loop until the server has closed: `weft.serve {
  --- port = 8080, websocket = handler }`, or short `weft.serve(8080, handler)`.
  --- SIGINT and SIGTERM close the server gracefully, with its options `grace` and
  --- `drain`, a second one kills; SIGHUP reloads certificates; `signals = false`
  --- leaves them alone. Raises when it cannot listen. A
  --- server that weft.listen returned can be served too. In a task it waits
  --- until the server has closed.
  ---
  --- With the option `workers` that many processes share the port, each with a
  --- copy of all that the program has made so far, and this one looks after
  --- them: it starts again those that die, replaces them one by one at SIGHUP,
  --- passes other signals on, and returns when all have closed their servers. A worker ends there; what comes after
  --- weft.serve runs in this process alone. It is for the main thread, before
  --- this instance has a task, a server or a connection.
  ---@param options weft.ServeOptions|integer|weft.Server options, a port, or a server
  ---@param handler? function|table with a port: the `websocket` option
  ---@return boolean|nil ok true
  ---@return string? word "cancelled", when the task that waits is
  function weft.serve(options, handler)
    core.check(loop, "weft.serve")
    if server.is(options) then
      return serving.serve(serves, options, true)
    elseif type(options) == "number" then
      options = { port = options, websocket = handler }
    end
    local checked = server.check(specs.serve, "weft.serve", options, 2)
    if checked.workers > 1 then
      workers.check(loop, 2)
    end
    local opened, message = server.open(loop, checked)
    if not opened then
      error("weft.serve: " .. message, 2)
    end
    return workers.serve(serves, opened, checked, reporter.report)
  end

  --- Which worker this process is, from 1 to the option `workers` of weft.serve;
  --- 1 while it serves without any. Nil otherwise: before weft.serve, and in the
  --- process that looks after the workers.
  ---@return integer|nil
  function weft.worker_id()
    return serving.worker_id(serves)
  end

  --- What `server:stats()` tells, for Prometheus: text in its exposition format,
  --- version 0.0.4, of which every sample bears the label `worker` where
  --- weft.worker_id() is known. A page for it:
  ---
  ---     ["/metrics"] = function(request)
  ---       return 200, { ["Content-Type"] = "text/plain; version=0.0.4" },
  ---         weft.metrics(request.server)
  ---     end
  ---
  --- It is nobody else's business; see [Operations](operations.md#seeing-inside).
  ---@param of weft.Server
  ---@return string
  function weft.metrics(of)
    if not server.is(of) then
      check.fail("weft.metrics", "argument 'server'", "a weft.Server", of, 2)
    end
    local metrics = require "weft.metrics"
    return (metrics.text(of, serving.worker_id(serves)))
  end

  --- Connects to a server and waits until the connection is open. With the
  --- option `events` it returns at once and calls those.
  ---@param url string "wss://host:port/path?query"
  ---@param options? weft.ConnectOptions
  ---@return weft.Connection|nil ws
  ---@return string? message a sentence, when it failed
  ---@return string? code "url", "dns", "refused", "timeout", "tls", "proxy", "handshake", "cancelled" or "system"
  ---@return weft.Response? response with "handshake": what the server answered
  function weft.connect(url, options)
    core.check(loop, "weft.connect")
    local plan = client.plan("weft.connect", specs.connect, url, options, 2)
    return client.open(loop, contexts, plan)
  end

  --- Connects again and again, for a generic `for`: each time the loop comes
  --- round it closes the connection that it gave before and gives a new one,
  --- after a delay that grows with each failure (the first attempt is made at
  --- once). Leaving the loop closes the connection. An attempt that fails for good
  --- raises; with the option `retry`, which decides that, the loop ends. A task
  --- that is cancelled leaves the loop.
  ---
  --- The delay is drawn from 0 to `min_delay`, then twice that, and so on up to
  --- `max_delay`, so that many clients do not come back at the same time. A
  --- connection that lasted 10 seconds, or `max_delay` if that is less, makes it
  --- begin anew. What the server asks for in Retry-After (seconds, with 429 or
  --- 503) is waited for, `max_delay` at most.
  ---@param url string
  ---@param options? weft.ReconnectingOptions
  ---@return fun(): weft.Connection?
  ---@return nil
  ---@return nil
  ---@return table closing closes the connection when the loop is left
  function weft.reconnecting(url, options)
    core.check(loop, "weft.reconnecting")
    local plan = client.plan("weft.reconnecting", specs.reconnecting, url, options, 2)
    return reconnecting.iterate(loop, plan.checked, function()
      return client.open(loop, contexts, plan)
    end)
  end

  --- Makes two connections to each other, without a socket, to test handlers.
  ---@param client_options? weft.ConnectionOptions
  ---@param server_options? weft.ConnectionOptions
  ---@return weft.Connection client
  ---@return weft.Connection server
  function weft.pair(client_options, server_options)
    core.check(loop, "weft.pair")
    local ours, theirs = pair.check(client_options, server_options, 2)
    return core.pair(loop, ours, theirs)
  end

  --- Makes a handler of plain HTTP requests from a directory of files: the
  --- option `http` of weft.listen, whole, or of a route that ends in `*`. It
  --- answers GET and HEAD, what the client has already (304) and single ranges of
  --- bytes (206), and sends `name.gz` in the place of `name` where there is one
  --- that is no older and the client takes it. No path leads out of the directory;
  --- symbolic links beneath it are not followed. Raises when the directory cannot
  --- be opened; it is opened once.
  ---@param directory string
  ---@param options? weft.StaticOptions
  ---@return weft.Page
  function weft.static(directory, options)
    check.argument("weft.static", "directory", check.path, directory, nil, 2)
    local checked = check.options(specs.static, "weft.static", options, 2)
    return (static.handler("weft.static", directory, checked, 2))
  end

  --- Makes the page that stands in for a WebSocket where a client cannot open
  --- one: the same handler, served by an event stream one way and POST the other.
  --- It goes to the same path, and gives browsers their client as well:
  ---
  ---     weft.serve {
  ---       websocket = { ["/chat"] = chat },
  ---       http = { ["/chat"] = weft.fallback(chat) },
  ---     }
  ---     -- <script src="/chat?weft.js"></script>, then new WeftSocket("/chat")
  ---
  --- More in [a page of its own](fallback.md).
  ---@param handler weft.Handler
  ---@param options? weft.FallbackOptions
  ---@return weft.Page
  function weft.fallback(handler, options)
    core.check(loop, "weft.fallback")
    return (fallback.new(loop, handler, options, function()
      return serves.worker
    end, 2))
  end

  --- Makes a room: a message sent to it goes to all its members. One whose
  --- output is above its mark is closed with 1013 (`on_full = "close"`) or
  --- misses the message (`"drop"`).
  ---@param options? { on_full: "close"|"drop" } ("close")
  ---@return weft.Room
  function weft.room(options)
    local checked = check.options(specs.room, "weft.room", options, 2)
    return core.room(loop, checked.on_full)
  end

  --- Runs a function as a task until it returns: its results, or its error
  --- raised again. Without one, runs until no task, server, connection with
  --- events or unfinished close is left, or weft.stop() is called.
  ---@param fn? function
  ---@param ... any arguments
  ---@return any ... the function's results; true without one
  function weft.run(fn, ...)
    if fn ~= nil then
      check.argument("weft.run", "fn", check.callback, fn, nil, 2)
    end
    return core.run(loop, fn, ...)
  end

  --- Makes weft.run() return after this turn; a weft.serve closes its server
  --- and returns then.
  function weft.stop()
    if not serving.stop(serves) then
      core.stop(loop)
    end
  end

  --- Starts a task: a coroutine in which weft's calls wait without blocking
  --- others. It begins in the next turn.
  ---@param fn function
  ---@param ... any arguments
  ---@return weft.Task
  function weft.spawn(fn, ...)
    check.argument("weft.spawn", "fn", check.callback, fn, nil, 2)
    return core.spawn(loop, fn, ...)
  end

  --- Waits.
  ---@param seconds number
  ---@return boolean|nil ok
  ---@return string? word "cancelled"
  function weft.sleep(seconds)
    check.argument("weft.sleep", "seconds", check.seconds, seconds, nil, 2)
    return core.sleep(loop, seconds)
  end

  --- Seconds of a clock that only goes forward.
  ---@return number
  function weft.now()
    return core.now()
  end

  --- Makes a queue: how tasks hand things to each other.
  ---@param limit? integer items it holds (no limit)
  ---@return weft.Queue
  function weft.queue(limit)
    limit = check.argument("weft.queue", "limit", queue_limit, limit, math.huge, 2)
    return core.queue(loop, limit)
  end

  --- Waits until a descriptor of somebody else's can be read or written.
  ---@param fd integer|table|userdata a descriptor, or an object with getfd or pollfd
  ---@param mode "r"|"w"|"rw" what to wait for
  ---@param timeout? number seconds (no limit)
  ---@return "r"|"w"|"rw"|nil ready
  ---@return string? word "timeout" or "cancelled"
  function weft.wait(fd, mode, timeout)
    fd = check.argument("weft.wait", "fd", descriptor, fd, nil, 2)
    mode = check.argument("weft.wait", "mode", wait_mode, mode, nil, 2)
    timeout = check.argument("weft.wait", "timeout", check.seconds, timeout,
                             math.huge, 2)
    return core.wait(loop, fd, mode, timeout)
  end

  --- A coroutine.wrap inside which weft's calls still work.
  ---@param fn function
  ---@return function
  function weft.wrap(fn)
    check.argument("weft.wrap", "fn", check.callback, fn, nil, 2)
    return wrap(loop, fn)
  end

  --- Does one turn of the loop, for embedding in somebody else's. No task's error
  --- escapes it.
  ---
  --- With limits the turn ends early, and the next one goes on where it stopped:
  --- nothing is lost, and order is kept. `messages` counts what user code gets to
  --- see: messages, requests, other events, new connections, and tasks that start
  --- or go on. `seconds` is how long the turn may work, whatever at; it is looked at
  --- after each such thing, and each socket that is read or written.
  ---@param timeout? number seconds to wait at most for something to do (0)
  ---@param limits? { messages: integer, seconds: number } ends the turn early
  ---@return boolean more whether weft.run() would go on
  function weft.step(timeout, limits)
    timeout = check.argument("weft.step", "timeout", check.seconds, timeout, 0, 2)
    local checked = check.options(specs.step, "weft.step", limits, 2)
    return core.step(loop, timeout, checked.messages, checked.seconds)
  end

  --- How long the loop may be left alone: 0 when something can be done now, the
  --- seconds to the next timer, or nil.
  ---@return number|nil
  function weft.timeout()
    return core.timeout(loop)
  end

  --- A descriptor that turns readable when there is work for weft.step: from
  --- outside, or because of what was called between two turns (a message sent, a
  --- task started). Timers do not show in it: ask weft.timeout() too. Poll it for
  --- reading, and leave it alone otherwise.
  ---@return integer|nil
  ---@return string? word "unsupported", with poll(2)
  function weft.fd()
    return core.fd(loop)
  end

  --- Sets what is called with errors that nobody joins; nil puts back the
  --- default, which writes them to stderr.
  ---@param fn? fun(err: any, traceback: string, subject: weft.Connection|weft.Task|nil)
  function weft.on_error(fn)
    if fn ~= nil then
      check.argument("weft.on_error", "fn", check.callback, fn, nil, 2)
    end
    reporter.set(fn)
  end

  return weft
end

return new()
