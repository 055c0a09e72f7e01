-- `SlotState.apply` on the hash KEYS[1], by the clock of this server.
--
-- The state begins again if it is missing or damaged, or if another process of the server has written it: what that
-- process reserved after it last saved its data is lost.

local room, pause, first_seconds = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local max_ahead, max_room, max_pause = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local expire_seconds = 7200 -- more than a state can be ahead

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local process = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')

local stored = redis.call('HMGET', KEYS[1], 'process', 'free_at', 'paused_until', 'reserved_at', 'began_at')
local free_at, paused_until = tonumber(stored[2] or ''), tonumber(stored[3] or '')
local reserved_at, began_at = tonumber(stored[4] or ''), tonumber(stored[5] or '')
local is_valid = stored[1] == process and free_at and paused_until and reserved_at and began_at
    and 0 <= began_at and began_at <= now
    and began_at <= reserved_at and reserved_at <= now + max_ahead
    and reserved_at <= free_at and free_at <= reserved_at + max_room
    and 0 <= paused_until and paused_until <= now + max_pause
if not is_valid then
    free_at, paused_until, reserved_at, began_at = now + first_seconds, 0, now, now
end

local slot = math.max(now, free_at, paused_until)
if room > 0 and slot - now <= max_ahead then
    reserved_at, free_at = slot, slot + room
end
if pause > 0 then
    paused_until = math.max(paused_until, now + math.min(pause, max_pause))
end

local function text(number)
    return string.format('%.17g', number) -- Redis would cut the fraction off
end
if room > 0 or pause > 0 or not is_valid then
    redis.call('HSET', KEYS[1], 'process', process, 'free_at', text(free_at), 'paused_until', text(paused_until),
        'reserved_at', text(reserved_at), 'began_at', text(began_at))
    redis.call('EXPIRE', KEYS[1], expire_seconds)
end
return {text(now), text(slot), text(began_at), text(paused_until)}
