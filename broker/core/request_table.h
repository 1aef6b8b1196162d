// What is remembered of requests that changed something and carried an id of their own: the answer
// of each for a while, so that one which is sent again is answered again and not done again; and
// which are under way, so that a copy which comes meanwhile gets the same answer.
#pragma once

#include "core/change.h"
#include "core/command.h"
#include "core/effect.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::core {

class RequestTable {
 public:
  enum class Verdict : std::uint8_t {
    fresh,      // not seen: do it; its answer is to be told with ended()
    under_way,  // a copy of one that has no answer yet, and will get that
    known,      // done before: give the first answer
    another,    // that id belongs to a request of another kind
    full,       // as many as may be remembered are too young to be forgotten
  };
  struct Judgement {
    Verdict verdict = Verdict::fresh;
    ReplyBody answer;  // when known
  };

  // recovered: in the order of their age. Their age itself is counted from the start: the wall
  // clock that they were stored by may have been set meanwhile, and must make none old at once.
  RequestTable(const std::vector<RequestRow>& recovered, std::int64_t now_mono_ms);

  // from: who is to be answered.
  [[nodiscard]] Judgement judge(const ChangeId& id, RequestKind kind, RequestId from, Now now,
                                ChangeSet& changes);
  // The answer to a request that was judged fresh is this one. The copies to be answered likewise,
  // or nothing where it is the answer to another request. A refusal changed nothing, and is not
  // kept.
  [[nodiscard]] std::vector<RequestId> ended(const Reply& reply, Now now, ChangeSet& changes);
  [[nodiscard]] bool any_under_way() const { return !under_way_.empty(); }
  // Forgets a bounded number of those that are older than request_kept_ms.
  void drop_old(std::int64_t now_mono_ms, ChangeSet& changes);

 private:
  struct UnderWay {
    ChangeId id{};
    RequestKind kind = RequestKind::cancel;
    std::vector<RequestId> copies;
  };
  [[nodiscard]] bool make_room(std::int64_t now_mono_ms, ChangeSet& changes);
  void drop_oldest(ChangeSet& changes);

  std::map<ChangeId, RequestRow> known_;
  std::deque<std::pair<std::int64_t, ChangeId>> by_age_;  // since when, on the monotonic clock
  std::map<RequestId, UnderWay> under_way_;
  std::map<ChangeId, RequestId> first_of_;  // of those under way
};

}  // namespace millrace::core
