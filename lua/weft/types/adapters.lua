---@meta
--- weft in the loops of others.

--- `weft.adapters`: weft in the loops of others, ready made. Reading one loads the
--- library that it is for, and raises where there is none. What they have in
--- common: `attach` takes [options](#weftattachoptions) and gives an
--- [attachment](#weftattachment); from then on weft turns in the host's loop
--- as soon as it has something to do. More in [a page of its own](embedding.md).
---
--- - `weft.adapters.cqueues.attach(controller [, options])`
--- - `weft.adapters.luv.attach([options])`
--- - `weft.adapters.copas.attach([options])` gives one with `step` and `loop`
--- - `weft.adapters.luasocket.attach([options])` gives one with `select`
---@class weft.Adapters
---@field cqueues { attach: fun(controller: any, options: weft.AttachOptions?): weft.Attachment }
---@field luv { attach: fun(options: weft.AttachOptions?): weft.Attachment }
---@field copas { attach: fun(options: weft.AttachOptions?): weft.CopasAttachment }
---@field luasocket { attach: fun(options: weft.AttachOptions?): weft.SelectAttachment }

--- How weft turns in the loop of a host.
---@class weft.AttachOptions
---@field messages? integer a turn's limit, as for weft.step (none)
---@field seconds? number a turn's limit, as for weft.step (none)
---@field interval? number where weft has no descriptor (poll(2)): seconds after which it turns, come what may (0.01)
---@field beside? weft.Attachment copas and luasocket: the one of another instance, whose `step` or `select` is called by that of the new one

--- weft in the loop of a host. While it is open, it keeps a loop running that ends
--- when nothing is left in it.
---@class weft.Attachment
local Attachment = {}

--- Takes weft out of the loop. What it has open stays open, but nothing happens
--- until something else turns it. Closing it again does nothing, and
--- `weft.close()` closes it too.
function Attachment:close() end

--- What `weft.adapters.copas.attach` gives.
---@class weft.CopasAttachment: weft.Attachment
local CopasAttachment = {}

--- In place of copas.step: it does not sleep longer than weft's timers may.
---@param timeout? number seconds to wait at most (no limit)
---@return boolean handled as copas.step
function CopasAttachment:step(timeout) end

--- In place of copas.loop; returns when the attachment is closed.
---@param timeout? number for each step
function CopasAttachment:loop(timeout) end

--- What `weft.adapters.luasocket.attach` gives.
---@class weft.SelectAttachment: weft.Attachment
local SelectAttachment = {}

--- As socket.select, and turns weft. It also returns, with "timeout", when weft has
--- done something and none of these sockets is ready: what a handler has changed
--- of the program may matter to the loop.
---@param reading? table sockets to read from
---@param writing? table sockets to write to
---@param timeout? number seconds to wait at most (no limit)
---@return table readable
---@return table writable
---@return string? err "timeout" when none of them is ready
function SelectAttachment:select(reading, writing, timeout) end
