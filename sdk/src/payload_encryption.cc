#include "payload_encryption.h"

#include "options.h"
#include "payload_key_table.h"
#include "wire/limits.h"

#include <sodium.h>
#include <algorithm>
#include <array>

namespace millrace {
namespace {

constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tag_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t added_bytes = nonce_bytes + tag_bytes;
constexpr std::string_view scheme = "xchacha20poly1305;key=";

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// What is authenticated with the payload. Neither an id nor a topic contains a zero byte.
std::string bound_data(const std::string& topic, std::string_view key_id) {
  std::string data("millrace-payload-1");
  data.append(1, '\0').append(key_id).append(1, '\0').append(topic);
  return data;
}

// The id of the key; empty: the header is of a kind that this version does not know.
std::string_view key_id_in(std::string_view header) {
  if (!header.starts_with(scheme)) return {};
  header.remove_prefix(scheme.size());
  return is_payload_key_id(header) ? header : std::string_view();
}

enum class Opened : std::uint8_t { plain, decrypted, without_key, damaged };
struct Opening {
  Opened as = Opened::plain;
  std::string key_id, error;
};

bool decrypted_in_place(const unsigned char* key, const std::string& bound, std::string* payload) {
  if (payload->size() < added_bytes) return false;
  std::array<unsigned char, nonce_bytes> nonce{};
  std::copy_n(bytes_of(*payload), nonce_bytes, nonce.begin());
  payload->erase(0, nonce_bytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          bytes_of(*payload), nullptr, nullptr, bytes_of(*payload), payload->size(),
          bytes_of(bound), bound.size(), nonce.data(), key) != 0) {
    return false;
  }
  payload->resize(payload->size() - tag_bytes);
  return true;
}

// `who` is "worker" or "client". The payload is plain text afterwards only where the answer is
// plain or decrypted.
Opening open_payload(const PayloadKeys& keys, const char* who, const std::string& topic,
                     const wire::Headers& headers, std::string* payload) {
  if (headers.empty()) return {};  // before a lookup, which each job would pay for
  const auto header = headers.find(std::string(encryption_header));
  if (header == headers.end()) return {};
  const std::string id(key_id_in(header->second));
  if (id.empty()) {
    return {Opened::without_key,
            {},
            "the payload is encrypted in a way that this " + std::string(who) +
                " does not know (header millrace-encryption): update its program"};
  }
  const auto* const table = table_of(keys);
  const auto* const key = table == nullptr ? nullptr : table->find(id);
  if (key == nullptr) {
    return {Opened::without_key, id,
            "the payload is encrypted with key " + id + ", which this " + who +
                " does not have: give it a file of payload keys that has this key (payload_keys, "
                "--payload-keys)"};
  }
  if (!decrypted_in_place(key, bound_data(topic, id), payload)) {
    return {Opened::damaged, id,
            "the payload cannot be decrypted with key " + id +
                ": it was changed, was enqueued for another topic, or was encrypted with another "
                "key of the same id"};
  }
  return {Opened::decrypted, id, {}};
}

}  // namespace

std::optional<Error> encrypt(const PayloadKeys& keys, Job* job) {
  const PayloadKeyTable& table = *table_of(keys);
  if (job->payload.size() > wire::payload_bytes_max - added_bytes) {
    return Error{ErrorCode::too_large,
                 "a payload that is encrypted must not be larger than " +
                     std::to_string(wire::payload_bytes_max - added_bytes) +
                     " bytes (1 MiB less the 40 bytes that encryption adds): store the data "
                     "elsewhere and send a reference",
                 {}};
  }
  const auto [header, added] = job->headers.emplace(encryption_header, scheme);
  if (!added) {
    return invalid(
        "the header millrace-encryption is set by the Producer, because it has payload keys: "
        "remove it from the job");
  }
  header->second += table.current();
  if (auto headers = wire::encode_headers(job->headers); !headers) {
    headers.error().message +=
        ", and the header millrace-encryption, which encryption adds, counts";
    return headers.error();
  }
  const std::string bound = bound_data(job->topic, table.current());
  std::string sealed(job->payload.size() + added_bytes, '\0');
  unsigned char* const nonce = bytes_of(sealed);
  randombytes_buf(nonce, nonce_bytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      nonce + nonce_bytes, nullptr, bytes_of(std::as_const(job->payload)), job->payload.size(),
      bytes_of(bound), bound.size(), nullptr, nonce, table.find(table.current()));
  job->payload = std::move(sealed);
  return std::nullopt;
}

std::optional<HandlerResult> decrypt(const PayloadKeys& keys, bool required, DeliveredJob* job) {
  Opening opening = open_payload(keys, "worker", job->id.topic, job->headers, &job->payload);
  switch (opening.as) {
    case Opened::plain:
      if (!required) return std::nullopt;
      return discard(
          "the payload is not encrypted, and this worker requires encryption: enqueue the job with "
          "payload keys");
    // The key may still be given to this worker, or another one may have it.
    case Opened::without_key: return retry(std::move(opening.error));
    // The same bytes would fail again.
    case Opened::damaged: return discard(std::move(opening.error));
    case Opened::decrypted: job->headers.erase(std::string(encryption_header));
  }
  return std::nullopt;
}

void decrypt(const PayloadKeys& keys, JobView* view) {
  std::string payload = view->payload ? std::move(*view->payload) : std::string();
  if (!view->payload) {
    const auto header = view->headers.find(std::string(encryption_header));
    if (header != view->headers.end()) view->encryption_key = key_id_in(header->second);
    return;
  }
  Opening opening = open_payload(keys, "client", view->id.topic, view->headers, &payload);
  view->encryption_key = std::move(opening.key_id);
  view->payload_error = std::move(opening.error);
  if (view->payload_error.empty()) {
    view->payload = std::move(payload);
  } else {
    view->payload.reset();
  }
}

}  // namespace millrace
