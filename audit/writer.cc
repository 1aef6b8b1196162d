#include "audit/writer.h"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>

namespace millrace::audit {

Expected<void> Writer::open() {
  if (auto done = open_file_of(at_.file, 0); !done) return done;
  auto head = open_file(in_folder(folder_, head_name), O_WRONLY | O_CREAT);
  if (!head) return tl::unexpected(head.error());
  head_ = std::move(*head);
  return sync_folder(folder_);
}

Expected<void> Writer::write(std::deque<Batch>* batches) {
  while (!batches->empty()) {
    if (auto done = write_one(batches->front()); !done) return done;
    batches->pop_front();
  }
  return write_head();
}

Expected<void> Writer::sync_head() {
  if (::fsync(head_.get()) == 0) return {};
  return tl::unexpected(system_failure("cannot sync", in_folder(folder_, head_name), errno));
}

Expected<void> Writer::open_file_of(std::uint64_t number, int flags) {
  auto file = open_file(in_folder(folder_, name_of(number)), O_WRONLY | O_CREAT | O_APPEND | flags);
  if (!file) return tl::unexpected(file.error());
  if (number != at_.file) at_.bytes = 0;
  file_ = std::move(*file);
  at_.file = number;
  return {};
}

Expected<void> Writer::write_one(const Batch& batch) {
  if (batch.file != at_.file) {
    if (auto done = open_file_of(batch.file, O_EXCL); !done) return done;
    if (auto done = sync_folder(folder_); !done) return lose(done.error());
  }
  const std::string path = in_folder(folder_, name_of(at_.file));
  if (!write_all(file_.get(), batch.text)) return take_back(path, errno);
  if (::fdatasync(file_.get()) != 0) {
    return lose(system_failure("cannot sync", path, errno));
  }
  at_.bytes += batch.text.size();
  at_.seq = batch.seq;
  at_.hash = batch.hash;
  return {};
}

// A part of the lines may stand in the file; the next try writes them as a whole.
Expected<void> Writer::take_back(const std::string& path, int error) {
  Failure failure = system_failure("cannot write", path, error);
  if (::ftruncate(file_.get(), static_cast<off_t>(at_.bytes)) != 0) return lose(failure);
  return tl::unexpected(std::move(failure));
}

Expected<void> Writer::lose(Failure failure) {
  failure.message += "; the audit log has stopped: restart the broker after the repair";
  lost_ = failure;
  return tl::unexpected(std::move(failure));
}

Expected<void> Writer::write_head() {
  const std::string text = encode(Head{at_.seq, at_.hash, at_.file, at_.bytes});
  const auto wrote = ::pwrite(head_.get(), text.data(), text.size(), 0);
  if (wrote == static_cast<ssize_t>(text.size())) return {};
  return tl::unexpected(
      system_failure("cannot write", in_folder(folder_, head_name), wrote < 0 ? errno : ENOSPC));
}

}  // namespace millrace::audit
