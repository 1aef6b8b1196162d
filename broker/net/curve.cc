#include "net/curve.h"

#include "wire/message_parts.h"

#include <zmq.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>

namespace millrace::net {
namespace {

constexpr const char* zap_address = "inproc://zeromq.zap.01";
constexpr std::string_view zap_domain = "millrace";
// ZMQ_ZAP_ENFORCE_DOMAIN: libzmq has it since 4.3.0, and declares it only where its drafts are
// enabled. Without a handler a connection is then refused, not let in.
constexpr int zap_enforce_domain = 93;
constexpr std::size_t request_frames = 7, curve_key_bytes = 32, z85_bytes = 40;

std::string z85_of(std::string_view bytes) {
  std::array<char, z85_bytes + 1> text{};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return text.data();
}

bool set_int(void* socket, int option, int value) {
  return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}
bool set_text(void* socket, int option, std::string_view text) {
  return zmq_setsockopt(socket, option, text.data(), text.size()) == 0;
}

using Frames = std::array<wire::MessagePart, request_frames>;

// One whole request; nothing where the socket is closing, or where it has another shape.
std::optional<ZapRequest> receive(void* socket, Frames& frames, bool& closing) {
  wire::MessagePart dropped;
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    wire::MessagePart& frame = count < request_frames ? frames[count] : dropped;
    if (!(count == 0 ? frame.wait(socket) : frame.receive(socket))) {
      closing = zmq_errno() != EINTR;
      return std::nullopt;
    }
    more = frame.more();
  }
  if (count < request_frames) return ZapRequest{};
  return ZapRequest{frames[0].view(),
                    frames[1].view(),
                    frames[2].view(),
                    frames[3].view(),
                    frames[4].view(),
                    frames[5].view(),
                    count == request_frames ? frames[6].view() : std::string_view()};
}

void send(void* socket, std::string_view id, const ZapAnswer& answer) {
  constexpr std::string_view version = "1.0";
  const std::array<std::string_view, 6> frames{
      version, id, answer.status, answer.text, answer.user_id, std::string_view()};
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const bool last = i + 1 == frames.size();
    zmq_send(socket, frames[i].data(), frames[i].size(), last ? 0 : ZMQ_SNDMORE);
  }
}

}  // namespace

bool set_mechanism(void* socket, const CurveOptions& options) {
  return set_int(socket, zap_enforce_domain, 1) && set_int(socket, ZMQ_CURVE_SERVER, 1) &&
         set_text(socket, ZMQ_CURVE_SECRETKEY, options.secret_key) &&
         set_text(socket, ZMQ_ZAP_DOMAIN, zap_domain);
}

ZapAnswer answer_zap(const ZapRequest& request,
                     const std::function<bool(std::string_view, std::string_view)>& counts) {
  if (request.version != "1.0" || request.domain != zap_domain || request.mechanism != "CURVE" ||
      request.credentials.size() != curve_key_bytes) {
    return {"400", "a key is needed", {}};
  }
  std::string key = z85_of(request.credentials);
  if (!counts(key, wire::plain_address(request.address)))
    return {"400", "this key does not count", {}};
  return {"200", "", std::move(key)};
}

ZapHandler::ZapHandler(void* context, CurveOptions options)
    : context_(context), options_(std::move(options)) {}

ZapHandler::~ZapHandler() {
  if (thread_.joinable()) thread_.join();
}

std::string ZapHandler::start() {
  void* const socket = zmq_socket(context_, ZMQ_REP);
  if (socket == nullptr || zmq_bind(socket, zap_address) != 0) {
    const std::string why = zmq_strerror(zmq_errno());
    if (socket != nullptr) zmq_close(socket);
    return "the check of keys cannot be started: " + why;
  }
  thread_ = std::thread([this, socket] { run(socket); });
  return {};
}

void ZapHandler::run(void* socket) {
  bool closing = false;
  while (!closing) {
    Frames frames;
    const auto request = receive(socket, frames, closing);
    if (!request) continue;
    send(socket, request->id,
         answer_zap(*request, [this](std::string_view key, std::string_view address) {
           return counts(key, address);
         }));
  }
  zmq_close(socket);
}

bool ZapHandler::counts(std::string_view public_key, std::string_view address) {
  {
    const std::lock_guard lock(mutex_);
    if (!also_.empty() && public_key == also_) return true;
    if (!also_.empty()) address = {};  // a connection of try_out(): nobody has to hear of it
  }
  return options_.counts && options_.counts(public_key, address);
}

void ZapHandler::accept_also(const std::string& public_key) {
  const std::lock_guard lock(mutex_);
  also_ = public_key;
}

}  // namespace millrace::net
