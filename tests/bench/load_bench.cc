// Load on a broker: bench_load MODE ENDPOINT JOBS PAYLOAD_BYTES BATCH WINDOW, where MODE is
// enqueue, drain or both. Prints jobs a second, from the first message to the last answer.
#include "load_client.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

using millrace::bench::Load;
using millrace::bench::LoadClient;
using millrace::wire::Role;

constexpr int exit_usage = 64;

template <typename Work>
double seconds_of(Work work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

double run(std::string_view mode, const Load& load) {
  if (mode == "enqueue") {
    LoadClient producer(load.endpoint, Role::producer);
    return seconds_of([&] { producer.produce(load); });
  }
  LoadClient worker(load.endpoint, Role::worker);
  if (mode == "drain") return seconds_of([&] { worker.drain(load.jobs); });
  LoadClient producer(load.endpoint, Role::producer);
  return seconds_of([&] {
    std::thread producing([&] { producer.produce(load); });
    worker.drain(load.jobs);
    producing.join();
  });
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view mode = count == 7 ? arguments[1] : "";
  if (mode != "enqueue" && mode != "drain" && mode != "both") {
    std::fputs("usage: bench_load enqueue|drain|both ENDPOINT JOBS PAYLOAD_BYTES BATCH WINDOW\n",
               stderr);
    return exit_usage;
  }
  const auto number = [arguments](int at) { return std::strtoull(arguments[at], nullptr, 10); };
  const Load load{.endpoint = arguments[2],
                  .jobs = number(3),
                  .payload_bytes = number(4),
                  .batch = number(5),
                  .window = number(6)};
  std::printf("%.1f\n", static_cast<double>(load.jobs) / run(mode, load));
}
