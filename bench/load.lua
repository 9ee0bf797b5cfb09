-- wrk's script: POSTs one body, or GETs the paths of a file in turn; prints one JSON line at the end.
local paths, next_path = {}, 0

function init(args)
  local kind = args[1]
  wrk.headers["Authorization"] = "Bearer sk-bench"
  if kind == "create" then
    wrk.method = "POST"
    wrk.path = "/api/v1/services/aigc/text2image/image-synthesis"
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["X-DashScope-Async"] = "enable"
    wrk.body = '{"model":"wan2.5-t2i-preview","input":{"prompt":"a red kite over a meadow"},'
      .. '"parameters":{"size":"1024*1024","n":1}}'
  else
    for line in io.lines(args[2]) do paths[#paths + 1] = line end
  end
end

function request()
  if #paths == 0 then return wrk.format() end
  next_path = next_path % #paths + 1
  return wrk.format("GET", paths[next_path])
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"rate": %.1f, "p50_ms": %.2f, "p99_ms": %.2f, "max_ms": %.2f, "errors": %d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
