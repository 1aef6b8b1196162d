// The file system operations of a backup: bytes that are synced, names that survive a power loss,
// and the checksum of a file.
#pragma once

#include "storage/store.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::storage {

[[nodiscard]] std::string in_folder(std::string folder, std::string_view name);  // folder/name
[[nodiscard]] Expected<void> sync_path(const std::string& path);  // a file or a folder
[[nodiscard]] Expected<void> write_synced(const std::string& path, const std::string& text);
// The folders of both names are synced too.
[[nodiscard]] Expected<void> rename_synced(const std::string& from, const std::string& to);
[[nodiscard]] Expected<void> make_folder(
    const std::string& path);  // it may be there; not its parent
// Byte by byte; the copy is synced. Fails where `to` is there already.
[[nodiscard]] Expected<void> copy_file_synced(const std::string& from, const std::string& to);
[[nodiscard]] Expected<std::string> read_text(const std::string& path, std::uint64_t bytes_max);
[[nodiscard]] Expected<std::string> sha256_of(const std::string& path);  // in hex
[[nodiscard]] std::string sha256_of_text(const std::string& text);
[[nodiscard]] Failure disk_failure(const std::string& doing, const std::string& path, int error);

}  // namespace millrace::storage
