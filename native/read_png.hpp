// The pixels of the plain kind of PNG, in a fraction of a general decoder's time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace chromapress {

/// Samples as the file has them: 3 channels (RGB) or 4 (straight RGBA) of 8 bits.
struct PngImage {
  std::vector<std::uint8_t> data;
  std::size_t width = 0, height = 0, channels = 3;
};

/// A PNG's pixels, where its samples are its pixels: 8-bit RGB or RGBA, not interlaced, whole, with nothing that says
/// to turn, animate or convert them, or that we do not know. Nothing of any other bytes: a general decoder is to judge.
std::optional<PngImage> read_png(std::span<const std::uint8_t> file, std::size_t max_pixels);

}  // namespace chromapress
