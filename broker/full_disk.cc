#include "full_disk.h"

#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <ctime>
#include <filesystem>

namespace millrace {
namespace {

// A shard's recovery writes a few pages. With less than the watermark it then refuses enqueues.
constexpr std::uintmax_t shard_bytes_min = 1U << 20U;
constexpr std::time_t look_s = 1;

}  // namespace

bool wait_for_space(const Config& config, const sigset_t& signals) {
  for (bool said = false;; said = true) {
    std::error_code unknown;
    const auto disk = std::filesystem::space(config.data_dir, unknown);
    if (unknown || disk.available >= shard_bytes_min * config.shards) return true;
    if (!said) {
      spdlog::critical(
          "the disk of {} is full ({} bytes are free): the broker waits for free space before it "
          "starts",
          config.data_dir, disk.available);
    }
    sd_notify(0, "STATUS=The disk is full: waiting for free space\nEXTEND_TIMEOUT_USEC=10000000");
    const timespec wait{look_s, 0};
    if (sigtimedwait(&signals, nullptr, &wait) > 0) return false;
  }
}

}  // namespace millrace
