// A store that answers late on purpose, over a real one that answers at once: commits in the order
// of their calls, loads in theirs, each when the test says so. A commit may be on disk before it is
// answered, and the rows of a load may have been read before it is answered. Threads: one.
#pragma once

#include "storage/store.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace millrace::testing {

class LateStore : public storage::Store {
 public:
  explicit LateStore(std::unique_ptr<storage::Store> store) : store_(std::move(store)) {}

  storage::Expected<core::Recovered> recover() override { return store_->recover(); }
  [[nodiscard]] std::uint64_t epoch() const override { return store_->epoch(); }
  void commit(core::ChangeSet&& changes, Committed done) override;
  void load(const core::Load& load, Loaded done) override;
  storage::Expected<bool> upkeep(std::int64_t budget_ms) override;
  [[nodiscard]] storage::Expected<std::unique_ptr<storage::Reader>> reader() const override {
    return store_->reader();
  }
  [[nodiscard]] storage::StoreFacts facts() const override { return store_->facts(); }

  // Each does one thing to the oldest that waits for it; false: none does.
  bool write_commit();   // puts it on disk, unanswered
  bool answer_commit();  // puts it on disk first, if it is not there
  bool read_load();      // reads its rows, unanswered
  bool answer_load();    // reads its rows first, if they are not read
  void answer_all();     // what waits now, and what that asks for
  // The connection is lost: nothing that waits is written any more, and all is answered as failed.
  void lose_connection(const std::string& why);

  bool late = true;  // false: from here on it answers at once

 private:
  struct Commit {
    core::ChangeSet changes;
    Committed done;
    std::optional<storage::Expected<storage::CommitStats>> result;
  };
  struct Question {
    core::Load load;
    Loaded done;
    std::optional<storage::Expected<core::Command>> result;
  };
  void write(Commit& commit);
  void read(Question& question);

  std::unique_ptr<storage::Store> store_;
  std::deque<Commit> commits_;
  std::deque<Question> loads_;
};

}  // namespace millrace::testing
