// Messages of two peers as the broker takes them: commands are stepped through a real engine and
// committed to a store in memory, questions are answered from both. Nothing that peers send may
// break an invariant.
// Input: messages, each a byte for the verb (its highest bit: of the second peer; 0: a restart),
// two for the length of its body, and the body.
#include "engine_test_kit.h"
#include "net/dispatcher.h"
#include "runtime/backup_service.h"
#include "runtime/row_questions.h"
#include "runtime/state_questions.h"
#include "wire/codec.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace millrace;

// The rows of the store in memory, as a question about rows reads them.
class Rows : public storage::Reader {
 public:
  explicit Rows(const core::test::MemoryStore& store) : store_(store) {}
  storage::Expected<std::optional<storage::JobRow>> job(const core::JobRef& ref,
                                                        bool /*with_payload*/) override {
    const auto found = store_.jobs.find(ref);
    if (found == store_.jobs.end()) return std::nullopt;
    return row(found->second);
  }
  storage::Expected<std::vector<storage::JobRow>> list(const storage::ListFilter& filter) override {
    std::vector<storage::JobRow> rows;
    for (const auto& [ref, job] : store_.jobs) {
      if (rows.size() < filter.rows_max) rows.push_back(row(job));
    }
    return rows;
  }
  storage::Expected<std::string> check(const std::function<bool()>& /*stop*/) override {
    return "ok";
  }

 private:
  static storage::JobRow row(const core::Job& job) {
    storage::JobRow row;
    row.job = job;
    row.state = job.state;
    return row;
  }
  const core::test::MemoryStore& store_;
};

// Two peers and the shard that they talk to.
class Peers {
 public:
  void say(std::size_t who, std::uint8_t verb, std::string_view body) {
    auto& session = sessions_.at(who);
    const std::string header = wire::encode_header(static_cast<wire::Verb>(verb), 7);
    net::Incoming message;
    message.header = header;
    message.body = body;
    message.two_parts = true;
    const auto parsed = net::parse(message, session ? &*session : nullptr, shard_.now, nullptr);
    if (parsed.refused) return;
    if (parsed.hello) session = parsed.hello->session;
    answer(parsed, body);
    if (!parsed.command) return;
    core::Command command = *parsed.command;
    (void)net::set_request(command, 1);
    shard_.turn(std::move(command));
    shard_.pass(core::lease_tick_ms);
    shard_.idle();
  }
  void restart() {
    shard_.crash();
    sessions_ = {};
  }

 private:
  void answer(const net::Parsed& parsed, std::string_view body) {
    const core::Engine& engine = *shard_.engine;
    if (parsed.kind == wire::VerbKind::question) {
      const runtime::Topology topology{{"ipc://broker"}};
      (void)runtime::answer_question(parsed.verb, body,
                                     {engine, topology, {}, shard_.options, {}, shard_.now});
    } else if (parsed.kind == wire::VerbKind::backup) {
      (void)runtime::answer_backup(parsed.verb, body, nullptr);
    } else if (parsed.kind == wire::VerbKind::row_question) {
      auto question =
          runtime::row_question({"p", parsed.verb, 7}, body, engine, shard_.now, nullptr);
      if (!question) return;
      Rows rows(shard_.store);
      (void)question->read(rows).value().body(engine, shard_.now);
    }
  }

  core::test::EngineHarness shard_;
  std::array<std::optional<core::SessionId>, 2> sessions_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t messages_max = 32;
  constexpr std::uint8_t second = 0x80;
  Peers peers;
  for (std::size_t i = 0; i < messages_max && size >= 3; ++i) {
    const std::uint8_t verb = data[0];
    std::size_t length = static_cast<std::size_t>(data[1]) << 8U | data[2];
    data += 3;
    size -= 3;
    length = length < size ? length : size;
    if (verb == 0) {
      peers.restart();
    } else {
      peers.say(verb / second, verb % second, {reinterpret_cast<const char*>(data), length});
    }
    data += length;
    size -= length;
  }
  return 0;
}
