// The shared counters of the processes of one measurement: a file of three numbers, mapped by each
// of them. Also their clock: CLOCK_MONOTONIC, one for all processes of a machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace millrace::bench {

[[nodiscard]] std::uint64_t now_ns();
[[nodiscard]] double seconds();  // the same clock

class Tally {
 public:
  // path: a file of 24 zero bytes that tests/bench/run made; empty: this process counts alone.
  Tally(const std::string& path, std::uint64_t jobs);
  ~Tally();
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  void begin();                  // the first of several producers sets the time
  void add(std::uint64_t done);  // the one that reaches jobs sets the time of the end
  [[nodiscard]] std::uint64_t done() const;
  [[nodiscard]] bool finished() const;
  [[nodiscard]] double seconds_since_begin() const;

 private:
  struct Numbers {
    std::atomic<std::uint64_t> begun_ns, done, ended_ns;
  };
  Numbers own_{};
  Numbers* shared_ = &own_;
  std::uint64_t jobs_;
};

// Times of single events, written for tests/bench/run as 32-bit microseconds of the host's order.
class Samples {
 public:
  explicit Samples(std::string path) : path_(std::move(path)) {}
  void add_ns(std::uint64_t took_ns) { us_.push_back(static_cast<std::uint32_t>(took_ns / 1'000)); }
  [[nodiscard]] std::uint32_t quantile(double part);  // sorts; 0 without samples
  void write() const;                                 // nothing without a path

 private:
  std::string path_;
  std::vector<std::uint32_t> us_;
};

}  // namespace millrace::bench
