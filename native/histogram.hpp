// The colour histogram of an image: its distinct colours and how many pixels have each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "color.hpp"
#include "unset_vector.hpp"

namespace chromapress {

/// A row-major 8-bit image: 3 channels (sRGB) or 4 (straight-alpha sRGBA).
struct Pixels {
  std::span<const std::uint8_t> data;
  std::size_t width = 0, height = 0, channels = 3;

  [[nodiscard]] std::size_t size() const { return width * height; }
  [[nodiscard]] Rgba at(std::size_t i) const {
    const std::uint8_t* p = data.data() + i * channels;
    return {p[0], p[1], p[2], channels == 4 ? p[3] : std::uint8_t{255}};
  }
};

/// Distinct colours in lexicographic order, each with a count of at least 1. Fully transparent is (0, 0, 0, 0).
struct Histogram {
  UnsetVector<Rgba> colors;
  UnsetVector<std::int64_t> counts;
};

/// A histogram that somebody else owns.
struct HistogramView {
  std::span<const Rgba> colors;
  std::span<const std::int64_t> counts;
};

/// threads: 0 is as many as the processor has. The result does not depend on it.
Histogram histogram(const Pixels& pixels, std::size_t threads = 1);

/// Throws std::invalid_argument unless the view is what `Histogram` promises and has at most 2^48 pixels.
void validate(const HistogramView& view);

}  // namespace chromapress
