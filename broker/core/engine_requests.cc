// Requests that change something and carry an id: each is executed once, and its copies get the
// first answer.
#include "core/engine_impl.h"

namespace millrace::core {

bool Engine::Impl::is_new(const Identified& asked, Now now, Effects& out) {
  const RequestId request = asked.request;
  if (asked.id == ChangeId{} || request == 0) return true;
  const auto [verdict, stored] = requests_.judge(asked.id, asked.kind, request, now, out.changes);
  switch (verdict) {
    case RequestTable::Verdict::fresh: return true;
    case RequestTable::Verdict::under_way: return false;
    case RequestTable::Verdict::known: reply(out, request, asked.answer(*stored)); return false;
    case RequestTable::Verdict::another:
      reply(
          out, request,
          refuse(
              Refusal::invalid,
              "this request id was used for another request: choose a random id for each request"));
      return false;
    case RequestTable::Verdict::full:
      reply(
          out, request,
          refuse(Refusal::overloaded,
                 "the broker has reached its maximum number of stored request ids: try again later",
                 1'000));
      return false;
  }
  return true;
}

// Processes the replies from that one on. A reply may end a request of an earlier step.
void Engine::Impl::note_answers(std::size_t replied, Now now, Effects& out) {
  if (!requests_.any_under_way()) return;
  const std::size_t end = out.replies.size();
  for (std::size_t at = replied; at < end; ++at) {
    const auto copies = requests_.ended(out.replies[at], now, out.changes);
    for (const RequestId copy : copies) out.replies.push_back({copy, out.replies[at].body});
  }
}

}  // namespace millrace::core
