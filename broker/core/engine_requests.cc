// Requests that change something and carry an id: each is done once, and its copies are answered as
// the first was.
#include "core/engine_impl.h"

namespace millrace::core {
namespace {

RequestKind kind_of(const OpenTopic& /*c*/) { return RequestKind::open_topic; }
RequestKind kind_of(const PauseTopic& c) {
  return c.paused ? RequestKind::pause : RequestKind::resume;
}
RequestKind kind_of(const Cancel& /*c*/) { return RequestKind::cancel; }
RequestKind kind_of(const DeadCommand& c) {
  return c.purge ? RequestKind::purge : RequestKind::requeue;
}

}  // namespace

template <typename Changing>
bool Engine::Impl::is_new(const Changing& command, Now now, Effects& out) {
  if (command.change == ChangeId{} || command.request == 0) return true;
  auto [verdict, answer] =
      requests_.judge(command.change, kind_of(command), command.request, now, out.changes);
  switch (verdict) {
    case RequestTable::Verdict::fresh: return true;
    case RequestTable::Verdict::under_way: return false;
    case RequestTable::Verdict::known: reply(out, command.request, std::move(answer)); return false;
    case RequestTable::Verdict::another:
      reply(out, command.request,
            refuse(Refusal::invalid,
                   "this request id belongs to another request: choose one at random for each"));
      return false;
    case RequestTable::Verdict::full:
      reply(out, command.request,
            refuse(Refusal::overloaded,
                   "as many requests with an id were made as may be remembered: try again", 1'000));
      return false;
  }
  return true;
}

template bool Engine::Impl::is_new(const OpenTopic&, Now, Effects&);
template bool Engine::Impl::is_new(const PauseTopic&, Now, Effects&);
template bool Engine::Impl::is_new(const Cancel&, Now, Effects&);
template bool Engine::Impl::is_new(const DeadCommand&, Now, Effects&);

// Looks at the replies from that one on. A reply may end a request of an earlier step.
void Engine::Impl::note_answers(std::size_t replied, Now now, Effects& out) {
  if (!requests_.any_under_way()) return;
  const std::size_t end = out.replies.size();
  for (std::size_t at = replied; at < end; ++at) {
    const auto copies = requests_.ended(out.replies[at], now, out.changes);
    for (const RequestId copy : copies) out.replies.push_back({copy, out.replies[at].body});
  }
}

}  // namespace millrace::core
