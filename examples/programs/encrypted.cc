// A payload that the broker cannot read: encrypted here, decrypted in the worker.
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <iostream>

int main(int count, char** arguments) {
  const auto keys = millrace::PayloadKeys::read(count > 1 ? arguments[1] : "mail.payload-keys");
  if (!keys) return std::cerr << keys.error().message << '\n', 1;
  millrace::Client client;  // has no keys, as the broker
  if (!client.create_topic("mail", {.history = true})) return 1;
  millrace::Producer producer({.payload_keys = *keys});
  const auto id = producer.enqueue({.topic = "mail", .payload = "Dear Ada"}).id;
  const auto stored = client.job(id);
  if (stored) std::cout << "encrypted with a key: " << !stored->encryption_key.empty() << '\n';
  millrace::Worker worker({.payload_keys = *keys, .require_encryption = true});
  worker.handle("mail", [](millrace::JobContext& job) {
    return millrace::done("read: " + std::string(job.payload()));
  });
  worker.start();
  if (const auto job = client.wait(id, std::chrono::seconds(30))) std::cout << job->result << '\n';
}
