-- `SlotState.apply` on the hash KEYS[1], with the month's count in the hash KEYS[2], by the clock of this server.
--
-- The state begins again if it is missing or damaged, or if another process of the server has written it: what that
-- process reserved after it last saved its data is lost. The count goes on.

local room, pause, counted, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local first_seconds = tonumber(ARGV[5])
local max_ahead, max_room, max_pause = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local max_step, unlimited = tonumber(ARGV[9]), tonumber(ARGV[10])
local expire_seconds = 7200 -- more than a state can be ahead
local month_expire_seconds = 62 * 86400 -- until after the next month

local function month_start(at) -- Redis has no calendar; years begin in March here, as the leap day is then their last
    local day = math.floor(at / 86400) + 719468
    local of_era = day % 146097
    local year = math.floor(
        (of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
    local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
    local month = math.floor((5 * of_year + 2) / 153)
    return (math.floor(at / 86400) - of_year + math.floor((153 * month + 2) / 5)) * 86400
end

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
local since, requests, is_reserved = 0, 0, room > 0 and slot - now <= max_ahead
if counted then
    local month = redis.call('HMGET', KEYS[2], 'since', 'requests')
    since, requests = tonumber(month[1] or ''), tonumber(month[2] or '')
    local is_counted = since and requests and 0 < since and since <= slot + max_step
        and 0 <= requests and requests < unlimited
    if not is_counted then
        since, requests = slot, 0
    elseif since < month_start(slot) then
        since, requests = month_start(slot), 0
    end
    requests = requests + counted
    is_reserved = is_reserved and requests <= limit
end
if is_reserved then
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
if counted and (is_reserved or room == 0) then
    redis.call('HSET', KEYS[2], 'since', text(since), 'requests', text(requests))
    redis.call('EXPIRE', KEYS[2], month_expire_seconds)
end
return {text(now), text(slot), text(began_at), text(paused_until), text(since), text(requests)}
