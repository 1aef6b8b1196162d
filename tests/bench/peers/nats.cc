// NATS JetStream over its text protocol: a work queue stream on file, publishes with an answer in a
// pipeline; workers pull by 256 and acknowledge each.
#include "peer.h"
#include "stream.h"

namespace millrace::bench {
namespace {

class Session {
 public:
  explicit Session(const Options& options) : server_(options.number("port")) {
    static_cast<void>(server_.line());  // INFO
    server_.put("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB " + inbox_ + " 1\r\n");
    server_.flush();
  }
  void publish(const std::string& subject, std::string_view body, bool answered) {
    server_.put("PUB " + subject + (answered ? " " + inbox_ : "") + " " +
                std::to_string(body.size()) + "\r\n");
    server_.put(body);
    server_.put("\r\n");
  }
  void flush() { server_.flush(); }
  [[nodiscard]] bool readable(int wait_ms) { return server_.readable(wait_ms); }
  // The next message: its reply subject (empty without one) and its body.
  struct Message {
    std::string reply, body;
  };
  Message next() {
    for (;;) {
      const std::string line(server_.line());
      if (line == "PING") {
        server_.put("PONG\r\n");
        flush();
      }
      if (line.rfind("-ERR", 0) == 0) give_up("NATS: " + line);
      if (line.rfind("MSG ", 0) != 0 && line.rfind("HMSG ", 0) != 0) continue;
      const auto last = line.rfind(' ');
      const std::size_t size = std::stoul(line.substr(last + 1));
      Message message{{}, std::string(server_.bytes(size + 2).substr(0, size))};
      const auto before = line.rfind(' ', last - 1);
      const std::string word = line.substr(before + 1, last - before - 1);
      if (word.find('.') != std::string::npos && word != inbox_) message.reply = word;
      return message;
    }
  }
  void call(const std::string& subject, const std::string& body) {
    publish(subject, body, true);
    flush();
    const auto said = next().body;
    if (said.find("\"error\"") != std::string::npos) give_up("NATS: " + said);
  }

 private:
  std::string inbox_ = "_INBOX." + std::to_string(now_ns());
  Stream server_;
};

void setup(const Options& options) {
  Session session(options);
  session.call("$JS.API.STREAM.CREATE.JOBS",
               R"({"name":"JOBS","subjects":["jobs"],"retention":"workqueue","storage":"file"})");
  session.call(
      "$JS.API.CONSUMER.DURABLE.CREATE.JOBS.workers",
      R"({"stream_name":"JOBS","config":{"durable_name":"workers","ack_policy":"explicit",)"
      R"("max_ack_pending":10000}})");
}

void produce(const Options& options, Tally& tally) {
  Session session(options);
  const std::string payload(options.number("payload", 256), 'p');
  tally.begin();
  keep_window(
      options,
      [&](std::uint64_t) {
        session.publish("jobs", payload, true);
        return 1U;
      },
      [&] {
        session.flush();
        if (session.next().body.find("\"error\"") != std::string::npos) {
          give_up("NATS refused a job");
        }
        return 1U;
      });
}

void work(const Options& options, Tally& tally) {
  constexpr std::uint64_t pulled = 256;
  Session session(options);
  say_ready();
  while (!tally.finished()) {
    session.publish("$JS.API.CONSUMER.MSG.NEXT.JOBS.workers",
                    R"({"batch":256,"expires":100000000})", true);
    session.flush();
    std::uint64_t came = 0;
    while (came < pulled && !tally.finished()) {
      if (!session.readable(look_ms)) continue;
      const auto message = session.next();
      if (message.reply.empty()) break;  // a status: the pull has ended
      session.publish(message.reply, "+ACK", false);
      tally.add(1);
      ++came;
      if (!session.readable(0) || came == pulled) session.flush();
    }
    session.flush();
  }
}

}  // namespace

const Peer nats{setup, produce, work};

}  // namespace millrace::bench
