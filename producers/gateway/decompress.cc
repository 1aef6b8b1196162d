// Decompresses gzip and zstd within bounds: a small body that expands without limit is refused
// before it takes memory.
#include "media_types.h"

#include <zlib.h>
#include <zstd.h>
#include <algorithm>
#include <memory>

namespace millrace::gateway {
namespace {

constexpr std::size_t step_bytes = 64U << 10;
constexpr int zstd_window_log_max = 23;  // 8 MiB, what every decoder has to take (RFC 8878)

tl::unexpected<Error> fail(ErrorCode code, std::string what) {
  return tl::unexpected(Error{code, std::move(what), {}});
}
tl::unexpected<Error> too_large(std::size_t bytes_max) {
  return fail(ErrorCode::too_large,
              "the decompressed body is larger than " + std::to_string(bytes_max) + " bytes");
}

Result<std::string> unpacked_gzip(std::string_view body, std::size_t bytes_max) {
  const auto broken = [] { return fail(ErrorCode::invalid, "the body is not valid gzip data"); };
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) {  // the largest window, gzip alone
    return fail(ErrorCode::overloaded, "there is not enough memory to decompress the body");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ended(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  std::string out;
  std::string step(step_bytes, '\0');
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(step.data());
    stream.avail_out = static_cast<uInt>(step.size());
    const int told = inflate(&stream, Z_NO_FLUSH);
    out.append(step.data(), step.size() - stream.avail_out);
    if (out.size() > bytes_max) return too_large(bytes_max);
    if (told == Z_STREAM_END) {  // another member may follow
      if (stream.avail_in == 0) return out;
      if (inflateReset(&stream) != Z_OK) return broken();
    } else if (told != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return broken();
    }
  }
}

Result<std::string> unpacked_zstd(std::string_view body, std::size_t bytes_max) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  if (context == nullptr)
    return fail(ErrorCode::overloaded, "there is not enough memory to decompress the body");
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, zstd_window_log_max);
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  std::string out;
  std::string step(step_bytes, '\0');
  for (;;) {
    ZSTD_outBuffer some{step.data(), step.size(), 0};
    const std::size_t wanted = ZSTD_decompressStream(context.get(), &some, &in);
    if (ZSTD_isError(wanted) != 0) {
      return fail(ErrorCode::invalid,
                  std::string("the body is not valid zstd data: ") + ZSTD_getErrorName(wanted));
    }
    out.append(step.data(), some.pos);
    if (out.size() > bytes_max) return too_large(bytes_max);
    const bool all_read = in.pos == in.size;
    if (wanted == 0 && all_read) return out;
    if (all_read && some.pos < some.size) {
      return fail(ErrorCode::invalid, "the body is not valid zstd data: its end is missing");
    }
  }
}

}  // namespace

Result<std::string> unpacked(Coding coding, std::string_view body, std::size_t bytes_max) {
  switch (coding) {
    case Coding::gzip: return unpacked_gzip(body, bytes_max);
    case Coding::zstd: return unpacked_zstd(body, bytes_max);
    default: return std::string(body);
  }
}

}  // namespace millrace::gateway
