// For the tests: a PNG of RGB or RGBA around rows that are filtered already.
#pragma once

#include <libdeflate.h>

#include <string_view>
#include <vector>

#include "check.hpp"

namespace chromapress {

inline void put(std::vector<std::uint8_t>& out, std::size_t value) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

inline void put_chunk(std::vector<std::uint8_t>& out, std::string_view type, const std::vector<std::uint8_t>& data) {
  put(out, data.size());
  const std::size_t start = out.size();
  out.insert(out.end(), type.begin(), type.end());
  out.insert(out.end(), data.begin(), data.end());
  put(out, libdeflate_crc32(0, &out[start], out.size() - start));
}

/// rows: for each a filter's number and its bytes. The data is split into `parts` chunks.
inline std::vector<std::uint8_t> plain_png(std::size_t width, std::size_t height, std::size_t channels,
                                           const std::vector<std::uint8_t>& rows, std::size_t parts = 1) {
  CHECK(rows.size() == (width * channels + 1) * height);
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(1);
  std::vector<std::uint8_t> data(libdeflate_zlib_compress_bound(compressor, rows.size()));
  data.resize(libdeflate_zlib_compress(compressor, rows.data(), rows.size(), data.data(), data.size()));
  libdeflate_free_compressor(compressor);

  std::vector<std::uint8_t> out = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, header;
  put(header, width);
  put(header, height);
  header.insert(header.end(), {8, static_cast<std::uint8_t>(channels == 3 ? 2 : 6), 0, 0, 0});
  put_chunk(out, "IHDR", header);
  for (std::size_t part = 0; part < parts; ++part) {
    const auto cut = [&](std::size_t p) { return data.begin() + static_cast<std::ptrdiff_t>(data.size() * p / parts); };
    put_chunk(out, "IDAT", {cut(part), cut(part + 1)});
  }
  put_chunk(out, "IEND", {});
  return out;
}

}  // namespace chromapress
