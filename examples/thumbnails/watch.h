// Watches the jobs to their end, and kills a worker and the broker on the way.
#pragma once

#include "fleet.h"
#include "report.h"

#include <millrace/client.h>

#include <csignal>
#include <cstddef>

namespace quickstart {

inline constexpr const char* topic = "thumbnails";

enum class Ended {
  whole,    // every job is final
  waiting,  // what is left has failed and waits: its pictures are not worth the watcher's time
  broken,   // interrupted, or a part ended by itself
};

[[nodiscard]] Ended watch(Fleet& fleet, millrace::Client& client, Progress& progress,
                          std::size_t jobs, const volatile std::sig_atomic_t& interrupted);

}  // namespace quickstart
