// Any bytes as a request of the gateway. Behind the line "HTTP": as a connection brings them, which
// have to mean the same however they are cut. Else a line with the path, then the body.
#include "http/forwarded.h"
#include "http/request.h"
#include "job_json.h"
#include "json_scan.h"
#include "media_types.h"
#include "paths.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace millrace::gateway;
using millrace::http::Request;
using millrace::http::RequestReader;

constexpr std::size_t bytes_max = 4'096;

// What a trusted proxy sends may come from anyone in front of it: the client is an address anyhow.
std::string client_of(const Request& request) {
  const auto trusted = millrace::http::parse_network("10.0.0.0/8");
  const auto caller = millrace::http::caller_of({.peer = "10.1.2.3",
                                                 .forwarded_for = request.forwarded_for,
                                                 .forwarded_proto = request.forwarded_proto},
                                                {*trusted});
  if (!millrace::http::parse_network(caller.client)) std::abort();
  return caller.client + (caller.secure ? "s" : "");
}

// All that was read, as one text.
std::string read_in_steps(std::string_view all, std::size_t step) {
  RequestReader reader(bytes_max);
  std::string told;
  for (std::size_t at = 0; at < all.size(); at += step) {
    std::string_view bytes = all.substr(at, step);
    while (!bytes.empty()) {
      const auto now = reader.read(&bytes);
      if (now == RequestReader::Step::fault) return told + std::to_string(reader.fault().status);
      if (now != RequestReader::Step::whole) continue;
      const Request& request = reader.request();
      if (request.body.size() > bytes_max) std::abort();
      told += request.method + request.path + request.content_type + request.body +
              request.authorization + client_of(request) + "|";
      reader.next();
    }
  }
  return told;
}

void as_connection(std::string_view bytes) {
  const std::string whole = read_in_steps(bytes, bytes.size() + 1);
  if (read_in_steps(bytes, 1) != whole || read_in_steps(bytes, 7) != whole) std::abort();
}

void as_media(std::string_view type, std::string_view body) {
  (void)not_json(type);
  for (const auto coding : {Coding::gzip, Coding::zstd}) {
    const auto plain = unpacked(coding, body, bytes_max);
    if (plain && plain->size() > bytes_max) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view request(reinterpret_cast<const char*>(data), size);
  const auto end = request.find('\n');
  if (request.starts_with("HTTP\n")) {
    as_connection(request.substr(5));
    return 0;
  }
  const Path path = read_path(request.substr(0, end));
  if (path.to == Path::To::job && path.job) {
    const std::string text = path.job->str();
    if (request.substr(0, end) != "/v1/jobs/" + text) std::abort();  // one name for one job
    millrace::JobView view;
    view.id = *path.job;
    if (end != std::string_view::npos) view.error = view.result = request.substr(end);
    if (!json_scan::fault_of(json_text(view)).empty()) std::abort();
  }
  if (end == std::string_view::npos) return 0;
  as_media(request.substr(0, end), request.substr(end + 1));
  const auto jobs = parse_jobs(request.substr(end + 1), path.topic);
  if (jobs && jobs->jobs.empty()) std::abort();
  return 0;
}
