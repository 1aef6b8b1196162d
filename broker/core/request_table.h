// The stored answers of requests that changed something and carried an id, each kept for a while,
// so that a request that is sent again gets its first answer and is not executed again; and the
// requests in progress, so that a copy that arrives meanwhile gets the same answer.
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
    fresh,      // not seen: execute it, then report its answer with ended()
    under_way,  // a copy of a request in progress; it will get the same answer
    known,      // done before: give the first answer
    another,    // that id belongs to a request of another kind
    full,       // the table is full, and all entries are too young to be removed
  };
  struct Judgement {
    Verdict verdict = Verdict::fresh;
    const RequestRow* stored = nullptr;  // when known, with the answer; until the next call
  };

  // recovered: in the order of their age. The age is counted from the start: the wall clock of the
  // stored times may have been set meanwhile, and must not expire a row at once.
  RequestTable(const std::vector<RequestRow>& recovered, std::int64_t now_mono_ms);

  // from: the request to answer.
  [[nodiscard]] Judgement judge(const ChangeId& id, RequestKind kind, RequestId from, Now now,
                                ChangeSet& changes);
  // Stores the answer to a request that was judged fresh. Returns the copies that get the same
  // answer, or none if it is the answer to another request. A refusal changed nothing, and is not
  // stored.
  [[nodiscard]] std::vector<RequestId> ended(const Reply& reply, Now now, ChangeSet& changes);
  [[nodiscard]] bool any_under_way() const { return !under_way_.empty(); }
  // Removes a bounded number of entries that are older than request_kept_ms.
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
