// A payload as a plain struct. A payload that is not such a struct is discarded with the reason.
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/typed.h>

#include <iostream>

struct Resize {
  std::string picture;
  int width = 0;
  MSGPACK_DEFINE_MAP(picture, width)
};

int main() {
  millrace::Client client;
  if (!client.create_topic("resize", {.history = true})) return 1;
  millrace::Worker worker;
  worker.handle("resize", millrace::typed<Resize>([](const Resize& wanted) {
                  return millrace::done(wanted.picture + " at " + std::to_string(wanted.width));
                }));
  worker.start();
  const auto payload = millrace::to_payload(Resize{"cat.jpg", 320});
  const auto id = millrace::Producer().enqueue({.topic = "resize", .payload = payload}).id;
  if (const auto job = client.wait(id, std::chrono::seconds(30))) std::cout << job->result << '\n';
}
