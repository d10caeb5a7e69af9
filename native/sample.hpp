// Pseudo-random images for the C++ tests.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "histogram.hpp"

namespace chromapress::sample {

/// Smooth colours with noise: many distinct ones. With 4 channels, the alpha has transparent, opaque and other pixels.
inline std::vector<std::uint8_t> image(std::size_t width, std::size_t height, std::size_t channels, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> data;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      for (std::size_t c = 0; c < 3; ++c)
        data.push_back(static_cast<std::uint8_t>((x * (c + 2) + y * 3) / 2 + random() % 16));
      if (channels == 4)
        data.push_back(static_cast<std::uint8_t>(x % 4 == 0 ? 0 : x % 4 == 1 ? 255 : 1 + random() % 254));
    }
  }
  return data;
}

inline Pixels pixels(const std::vector<std::uint8_t>& data, std::size_t width, std::size_t channels) {
  return {data, width, data.size() / width / channels, channels};
}

}  // namespace chromapress::sample
