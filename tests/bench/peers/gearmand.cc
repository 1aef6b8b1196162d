// gearmand over its binary protocol: background jobs with a unique id each, in a pipeline; a worker
// grabs one, completes it, grabs the next.
#include "peer.h"
#include "stream.h"

#include <arpa/inet.h>
#include <cstring>

namespace millrace::bench {
namespace {

enum Kind : std::uint32_t {
  can_do = 1,
  job_created = 8,
  grab_job = 9,
  no_job = 10,
  job_assign = 11,
  work_complete = 13,
  pre_sleep = 4,
  noop = 6,
  submit_job_bg = 18,
};

constexpr std::size_t header_bytes = 12;

std::string packet(Kind kind, std::string_view body) {
  std::string bytes("\0REQ", 4);
  for (const std::uint32_t number :
       {std::uint32_t{kind}, static_cast<std::uint32_t>(body.size())}) {
    const std::uint32_t big = htonl(number);
    bytes.append(reinterpret_cast<const char*>(&big), sizeof big);
  }
  return bytes.append(body);
}

struct Packet {
  std::uint32_t kind;
  std::string body;
};

Packet read_packet(Stream& server) {
  const std::string header(server.bytes(header_bytes));
  std::uint32_t numbers[2];
  std::memcpy(numbers, header.data() + 4, sizeof numbers);
  return {ntohl(numbers[0]), std::string(server.bytes(ntohl(numbers[1])))};
}

void setup(const Options& /*options*/) {}

void produce(const Options& options, Tally& tally) {
  Stream server(options.number("port"));
  const std::string payload(options.number("payload", 256), 'p');
  const std::string name("bench\0", 6);
  std::uint64_t made = now_ns();
  tally.begin();
  keep_window(
      options,
      [&](std::uint64_t) {
        std::string body = name + std::to_string(++made);
        body += '\0';
        server.put(packet(submit_job_bg, body + payload));
        return 1U;
      },
      [&] {
        server.flush();
        if (read_packet(server).kind != job_created) give_up("gearmand refused a job");
        return 1U;
      });
}

void work(const Options& options, Tally& tally) {
  Stream server(options.number("port"));
  server.put(packet(can_do, "bench") + packet(grab_job, {}));
  server.flush();
  say_ready();
  while (!tally.finished()) {
    if (!server.readable(look_ms)) continue;
    const Packet came = read_packet(server);
    if (came.kind == job_assign) {
      const std::string handle = came.body.substr(0, came.body.find('\0') + 1);
      server.put(packet(work_complete, handle) + packet(grab_job, {}));
      tally.add(1);
    } else if (came.kind == no_job) {
      server.put(packet(pre_sleep, {}));
    } else if (came.kind == noop) {
      server.put(packet(grab_job, {}));
    }
    server.flush();
  }
}

}  // namespace

const Peer gearmand{setup, produce, work};

}  // namespace millrace::bench
