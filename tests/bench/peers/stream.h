// A connection to a peer on loopback that writes in bulk and reads lines or so many bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::bench {

class Stream {
 public:
  explicit Stream(std::uint64_t port);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void put(std::string_view bytes) { out_ += bytes; }  // leaves with the next flush()
  void flush();
  // Whether something can be read, now or within wait_ms.
  [[nodiscard]] bool readable(int wait_ms);
  // The next line without its CR LF, or so many bytes: waits for them; ends the process when the
  // peer does not send them. A view lives until the next call.
  [[nodiscard]] std::string_view line();
  [[nodiscard]] std::string_view bytes(std::size_t count);

 private:
  void read_more();
  int fd_ = -1;
  std::string in_, out_;
  std::size_t at_ = 0;
};

}  // namespace millrace::bench
