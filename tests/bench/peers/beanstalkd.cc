// beanstalkd over its text protocol: puts in a pipeline; a worker deletes what it was given and
// reserves the next in one write. More open reserves would hold its deletes up behind them.
#include "peer.h"
#include "stream.h"

namespace millrace::bench {
namespace {

void setup(const Options& /*options*/) {}

void produce(const Options& options, Tally& tally) {
  Stream server(options.number("port"));
  const std::string payload(options.number("payload", 256), 'p');
  const std::string put =
      "put 0 0 60 " + std::to_string(payload.size()) + "\r\n" + payload + "\r\n";
  tally.begin();
  keep_window(
      options,
      [&](std::uint64_t) {
        server.put(put);
        return 1U;
      },
      [&] {
        server.flush();
        if (server.line().substr(0, 8) != "INSERTED") give_up("beanstalkd refused a job");
        return 1U;
      });
}

void work(const Options& options, Tally& tally) {
  Stream server(options.number("port"));
  server.put("reserve\r\n");
  server.flush();
  say_ready();
  while (!tally.finished()) {
    if (!server.readable(look_ms)) continue;
    const std::string said(server.line());
    if (said == "DELETED") {
      tally.add(1);
      continue;
    }
    if (said.rfind("RESERVED ", 0) != 0) give_up("beanstalkd said " + said);
    const auto space = said.find(' ', 9);
    const std::string id = said.substr(9, space - 9);
    static_cast<void>(server.bytes(std::stoul(said.substr(space + 1)) + 2));
    server.put("delete " + id + "\r\nreserve\r\n");
    server.flush();
  }
}

}  // namespace

const Peer beanstalkd{setup, produce, work};

}  // namespace millrace::bench
