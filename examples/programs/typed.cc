// A payload as a plain struct. A payload that is not such a struct is discarded with the reason.
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/typed.h>

#include <cstdio>
#include <exception>
#include <string>

struct Resize {
  std::string picture;
  int width = 0;
  MSGPACK_DEFINE_MAP(picture, width)
};

int run() {
  using namespace std::chrono_literals;
  millrace::Client client;
  if (!client.create_topic("resize", {.history = true})) return 1;
  millrace::Worker worker;
  worker.handle("resize", millrace::typed<Resize>([](const Resize& r, millrace::JobContext&) {
                  return millrace::done(r.picture + " at " + std::to_string(r.width));
                }));
  worker.start();
  millrace::Producer producer;
  for (const auto& payload :
       {millrace::to_payload(Resize{"cat.jpg", 320}), std::string("nonsense")}) {
    const auto outcome = producer.enqueue({.topic = "resize", .payload = payload});
    const auto job = client.wait(outcome.id, 30s);
    if (!job) return 1;
    std::printf(
        "%s: %s\n", std::string(to_string(job->state)).c_str(),
        job->state == millrace::State::completed ? job->result.c_str() : job->dead_reason.c_str());
  }
  return 0;
}

int main() {
  try {
    return run();
  } catch (const std::exception& wrong) {
    std::fprintf(stderr, "%s\n", wrong.what());
    return 1;
  }
}
