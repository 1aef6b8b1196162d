// A Redis stream with a consumer group: XADD in a pipeline; workers read by 128, then acknowledge
// and delete what they read.
#include "peer.h"
#include "stream.h"

#include <vector>

namespace millrace::bench {
namespace {

std::string command(const std::vector<std::string_view>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto word : words) {
    text += '$';
    text += std::to_string(word.size());
    text += "\r\n";
    text += word;
    text += "\r\n";
  }
  return text;
}

// Reads one reply of any shape; the strings in it go to found.
void read_reply(Stream& server, std::vector<std::string>& found) {
  const std::string head(server.line());
  const std::string rest = head.substr(1);
  if (head[0] == '-') give_up("Redis: " + rest);
  if (head[0] == '$' && rest != "-1") {
    const std::size_t size = std::stoul(rest);
    found.emplace_back(server.bytes(size + 2).substr(0, size));
  } else if (head[0] == '*' && rest != "-1") {
    for (std::size_t left = std::stoul(rest); left > 0; --left) read_reply(server, found);
  } else if (head[0] == '+' || head[0] == ':') {
    found.push_back(rest);
  }
}

void setup(const Options& options) {
  Stream server(options.number("port"));
  server.put(command({"XGROUP", "CREATE", "jobs", "workers", "0", "MKSTREAM"}));
  server.flush();
  std::vector<std::string> said;
  read_reply(server, said);
}

void produce(const Options& options, Tally& tally) {
  Stream server(options.number("port"));
  const std::string payload(options.number("payload", 256), 'p');
  const std::string add = command({"XADD", "jobs", "*", "p", payload});
  std::vector<std::string> said;
  tally.begin();
  keep_window(
      options,
      [&](std::uint64_t) {
        server.put(add);
        return 1U;
      },
      [&] {
        server.flush();
        std::uint64_t answered = 0;
        for (; answered == 0 || server.readable(0); ++answered) {
          said.clear();
          read_reply(server, said);
        }
        return answered;
      });
}

// The ids of an answer to XREADGROUP: name, then id, "p", payload of each job.
std::vector<std::string_view> words_of(std::string_view verb,
                                       const std::vector<std::string>& found) {
  std::vector<std::string_view> words{verb, "jobs"};
  if (verb == "XACK") words.emplace_back("workers");
  for (std::size_t i = 1; i + 2 < found.size(); i += 3) words.emplace_back(found[i]);
  return words;
}

void work(const Options& options, Tally& tally) {
  Stream server(options.number("port"));
  const std::string name = "worker-" + std::to_string(now_ns());
  const std::string read = command({"XREADGROUP", "GROUP", "workers", name, "COUNT", "128", "BLOCK",
                                    "50", "STREAMS", "jobs", ">"});
  say_ready();
  std::vector<std::string> found, said;
  while (!tally.finished()) {
    found.clear();
    server.put(read);
    server.flush();
    read_reply(server, found);
    if (found.empty()) continue;
    server.put(command(words_of("XACK", found)) + command(words_of("XDEL", found)));
    server.flush();
    for (int i = 0; i < 2; ++i) read_reply(server, said);
    tally.add((found.size() - 1) / 3);
  }
}

}  // namespace

const Peer redis_streams{setup, produce, work};

}  // namespace millrace::bench
