// Any bytes that a broker answers a client: its topology, and the views of jobs, topics, shards and
// sessions made of them. Input: a byte that picks the answer, then its body.
#include "client_views.h"
#include "job_messages.h"
#include "topology.h"
#include "wire/codec.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace millrace;

void topology(std::string_view body) {
  Topology known;
  if (!known.update(body, {"asked"})) return;
  const auto* owners = known.topic("asked");
  if (owners == nullptr || owners->empty() || !known.known()) std::abort();
  for (const std::uint64_t shard : *owners) {
    if (shard >= known.shards().size()) std::abort();  // a client would look there
  }
}

void jobs(std::string_view body) {
  const auto told = wire::decode<wire::JobsOk>(body);
  if (!told) return;
  for (const auto& job : told->jobs) {
    const JobView view = view_of_job(job);
    (void)to_string(view.state);
    if (!JobId::parse(view.id.str())) std::abort();
  }
}

void topics(std::string_view body) {
  const auto told = wire::decode<wire::TopicsOk>(body);
  TopicView sum;
  if (!told) return;
  for (const auto& topic : told->topics) add_topic(sum, topic);
}

void sessions(std::string_view body) {
  const auto told = wire::decode<wire::SessionsOk>(body);
  SessionView sum;
  if (!told) return;
  for (const auto& session : told->sessions) add_session(sum, session);
}

void status(std::string_view body) {
  const auto told = wire::decode<wire::ShardView>(body);
  if (told) (void)view_of_shard(*told);
}

void backup(std::string_view body) {
  const auto told = wire::decode<wire::BackupView>(body);
  if (told) (void)view_of_backup(*told);
}

void name(std::string_view text) {
  const auto id = JobId::parse(text);
  if (id && id->str() != text) std::abort();
  (void)parse_state(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Reading = void (*)(std::string_view);
  constexpr Reading readings[] = {topology, jobs, topics, sessions, status, name, backup};
  if (size == 0) return 0;
  readings[data[0] % std::size(readings)]({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
