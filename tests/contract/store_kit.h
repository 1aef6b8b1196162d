// Helpers of the store tests: a folder of their own, and a store in it that can be reopened.
#pragma once

#include "late_store.h"
#include "storage/sqlite_store.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace millrace::storage {

// Of a store on a disk in memory.
inline constexpr const char* path = "/s.db";

// Made by SetUp, gone with TearDown.
class InFolder {
 protected:
  void make_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/s.db";
  }
  void remove_folder() const { std::filesystem::remove_all(folder_); }

  std::string folder_, path_;
};

class WithStore : public InFolder {
 protected:
  using Open = std::function<Expected<std::unique_ptr<Store>>(const std::string& path)>;
  explicit WithStore(Open open =
                         [](const std::string& path) { return open_sqlite({.path = path}); })
      : open_(std::move(open)) {}

  void reopen() {
    store_.reset();
    auto opened = open_(path_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
    auto recovered = store_->recover();
    ASSERT_TRUE(recovered) << recovered.error().message;
    recovered_ = std::move(*recovered);
  }
  Expected<CommitStats> try_commit(core::ChangeSet changes) {
    std::optional<Expected<CommitStats>> answer;
    store_->commit(std::move(changes), [&](auto a) { answer = std::move(a); });
    let_answer();
    return answer.value();
  }
  void commit(core::ChangeSet changes) {
    const auto answer = try_commit(std::move(changes));
    ASSERT_TRUE(answer) << answer.error().message;
  }
  template <typename T>
  T load(const core::Load& load) {
    std::optional<T> got;
    store_->load(load, [&](Expected<core::Command> a) {
      ASSERT_TRUE(a) << a.error().message;
      got = std::get<T>(std::move(*a));
    });
    let_answer();
    return got.value();
  }
  // Storage that answers late has its time; another has answered already.
  void let_answer() const {
    if (auto* late = dynamic_cast<testing::LateStore*>(store_.get())) late->answer_all();
  }

  Open open_;
  std::unique_ptr<Store> store_;
  core::Recovered recovered_;
};

}  // namespace millrace::storage
