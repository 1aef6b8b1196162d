// What the check of a key costs a message, as the shard does it: the key is looked up, its roles
// and topics are compared, and the ids of the client are bound to it. Prints the nanoseconds that
// a message with one job takes without a key, and how many more with one.
//   bench_access parse messages=N payload=N
#include "access/key_ring.h"
#include "net/dispatcher.h"
#include "options.h"
#include "wire/codec.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace millrace;

constexpr std::string_view public_key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

std::string enqueue_of(std::size_t jobs, const std::string& payload) {
  wire::Enqueue body;
  body.topic = "bench";
  body.producer = wire::Id{1, 2, 3};
  body.epoch = body.batch = 1;
  body.jobs.resize(jobs);
  for (auto& job : body.jobs) job.payload = payload;
  return wire::encode(body);
}

// Nanoseconds a message; the least of several turns, for anything else is the machine's.
double parse_ns(const std::string& body, std::size_t messages, access::KeyLookup* keys) {
  const std::string header = wire::encode_header(wire::Verb::enqueue, 1);
  const core::SessionId session{};
  net::Incoming message{.peer = "p", .header = header, .body = body, .two_parts = true};
  constexpr int turns = 7;
  double best = 0;
  for (int turn = 0; turn < turns; ++turn) {
    const auto begun = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < messages; ++i) {
      const auto key = keys == nullptr ? nullptr : keys->by_public_key(public_key);
      if (keys != nullptr && !access::why_invalid(*key, 1).empty()) return -1;
      const auto parsed = net::parse(message, &session, {}, key.get());
      if (parsed.refused) return -1;
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begun;
    const double each = took.count() / static_cast<double>(messages);
    best = turn == 0 ? each : std::min(best, each);
  }
  return best;
}

}  // namespace

int main(int count, char** arguments) {
  const bench::Options options(count, arguments, {"messages", "payload"});
  const std::string payload(options.number("payload", 256), 'x');
  const std::size_t messages = options.number("messages", 100'000);
  std::string folder = std::filesystem::temp_directory_path() / "bench-access-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  std::ofstream(folder + "/bench.toml")
      << "public_key = \"" << public_key << "\"\nmay = [\"produce\"]\ntopics = [\"b*\"]\n";
  {
    const access::KeyRing ring(folder, {});
    access::KeyLookup keys(&ring);
    const std::string body = enqueue_of(1, payload);
    const double without = parse_ns(body, messages, nullptr);
    std::printf("{\"message_read_ns\": %.0f, \"key_check_ns\": %.0f}\n", without,
                parse_ns(body, messages, &keys) - without);
  }
  std::filesystem::remove_all(folder);
}
