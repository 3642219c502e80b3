--- Dates as HTTP writes them (RFC 9110, section 5.6.7), whatever the locale.
--- Internal.  Times are seconds since the beginning of 1970, UTC.

local date = {}

local months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
                 "Oct", "Nov", "Dec" }
local weekdays = { [0] = "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" }
local full_weekdays = {
  Monday = true, Tuesday = true, Wednesday = true, Thursday = true,
  Friday = true, Saturday = true, Sunday = true,
}

local month_numbers, weekday_names = {}, {}
for number, name in ipairs(months) do
  month_numbers[name] = number
end
for _, name in pairs(weekdays) do
  weekday_names[name] = true
end

local floor = math.floor

local DAY = 86400
local ERA = 146097 -- days of 400 years, after which the calendar repeats

-- Days from 1970 to a date; years begin in March, so that leap days are last.
local function days_to(year, month, day)
  if month < 3 then
    year = year - 1
  end
  local era, year_of_era = floor(year / 400), year % 400
  local day_of_year = floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return era * ERA + year_of_era * 365 + floor(year_of_era / 4)
         - floor(year_of_era / 100) + day_of_year - 719468
end

-- The other way: year, month, day.
local function date_of(days)
  days = days + 719468
  local era, day_of_era = floor(days / ERA), days % ERA
  local year = floor((day_of_era - floor(day_of_era / 1460)
                      + floor(day_of_era / 36524)
                      - floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year + floor(year / 4)
                                    - floor(year / 100))
  local month = floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  return era * 400 + year + (month < 3 and 1 or 0), month, day
end

--- "Sun, 06 Nov 1994 08:49:37 GMT".
---@param seconds integer
---@return string
function date.format(seconds)
  local days, rest = floor(seconds / DAY), seconds % DAY
  local year, month, day = date_of(days)
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(
    weekdays[days % 7], day, months[month], year, floor(rest / 3600),
    floor(rest / 60) % 60, rest % 60)
end

-- Two digits are the year that is at most 50 years ahead (RFC 9110, 5.6.7).
local function full_year(digits, now)
  local this = date_of(floor(now / DAY))
  local year = this - this % 100 + digits
  return year > this + 50 and year - 100 or year
end

-- The three forms: weekday, day, month, year, time.
local function take_apart(text, now)
  local name, day, month, year, time =
    text:match("^(%a+), (%d%d) (%a+) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
  if name then
    return weekday_names[name], day, month, tonumber(year), time
  end
  name, day, month, year, time =
    text:match("^(%a+), (%d%d)%-(%a+)%-(%d%d) (%d%d:%d%d:%d%d) GMT$")
  if name then
    return full_weekdays[name], day, month, full_year(tonumber(year), now), time
  end
  name, month, day, time, year =
    text:match("^(%a+) (%a+) ([ %d]%d) (%d%d:%d%d:%d%d) (%d%d%d%d)$")
  return weekday_names[name], day, month, tonumber(year), time
end

--- What a date in any of the three forms stands for, or nil when it is none.
---@param text string
---@param now? integer what two digits of a year are counted from (the clock's)
---@return integer|nil
function date.parse(text, now)
  local known, day, name, year, time = take_apart(text, now or os.time())
  local month = month_numbers[name]
  if not known or not month then
    return nil
  end
  day = tonumber(day)
  local hour, minute, second = time:match("^(%d%d):(%d%d):(%d%d)$")
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  local days = days_to(year, month, day)
  local _, same, same_day = date_of(days) -- not 31 February
  if same ~= month or same_day ~= day or hour > 23 or minute > 59
     or second > 60 then
    return nil
  end
  return days * DAY + hour * 3600 + minute * 60 + second
end

return date
