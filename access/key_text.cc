#include "access/key_text.h"

#include "access/key.h"

#include <nettle/sha2.h>
#include <sys/random.h>
#include <zmq.h>
#include <array>
#include <cstdlib>
#include <ctime>

namespace millrace::access {
namespace {

constexpr std::size_t curve_bytes = 32;

std::string hex(const std::uint8_t* bytes, std::size_t count) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += digits[bytes[i] >> 4U];
    text += digits[bytes[i] & 15U];
  }
  return text;
}

}  // namespace

std::string time_text(std::int64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1'000);
  std::tm parts{};
  char text[32] = "";
  if (gmtime_r(&seconds, &parts) != nullptr) {
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  }
  return text;
}

bool valid_curve_key(std::string_view text) {
  std::array<std::uint8_t, curve_bytes> bytes{};
  return text.size() == public_key_bytes && text.find('\0') == std::string_view::npos &&
         zmq_z85_decode(bytes.data(), std::string(text).c_str()) != nullptr;
}

std::string sha256_hex(std::string_view bytes) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&context, digest.size(), digest.data());
  return hex(digest.data(), digest.size());
}

KeyPair new_key_pair() {
  std::array<char, public_key_bytes + 1> open{}, secret{};
  // Fails only in a libzmq without CURVE, with which the broker does not start.
  if (zmq_curve_keypair(open.data(), secret.data()) != 0) return {};
  return {open.data(), secret.data()};
}

std::string public_key_of(const std::string& secret_key) {
  std::array<char, public_key_bytes + 1> open{};
  if (!valid_curve_key(secret_key) || zmq_curve_public(open.data(), secret_key.c_str()) != 0) {
    return {};
  }
  return open.data();
}

std::string new_token() {
  std::array<std::uint8_t, 32> bytes{};
  // A machine that has no random numbers must not hand out a token that can be guessed.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  return "mr_" + hex(bytes.data(), bytes.size());
}

}  // namespace millrace::access
