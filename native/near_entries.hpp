// For each pixel the palette entries that it may become, and how much worse than the nearest each of them is. Where
// several pixels share a byte, also for these together.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "color.hpp"

namespace chromapress {

/// The most entries that a pixel chooses from.
inline constexpr std::size_t kChoices = 16;

/// What a pixel may become: the first `n`, the nearest first.
struct Choices {
  std::array<std::uint8_t, kChoices> index;    // after the first `n`, repetitions of the first
  std::array<std::uint16_t, kChoices> excess;  // of the weighted squared error over the nearest entry's
  std::size_t n;

  /// Where `entry` is; kChoices if it is not among them.
  [[nodiscard]] std::size_t place(std::uint8_t entry) const;
};

inline std::size_t Choices::place(std::uint8_t entry) const {
  if constexpr (std::endian::native == std::endian::little) {
    // Eight at a time: the lowest byte that is zero after the exclusive or is the only one that is surely marked.
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    for (std::size_t i = 0; i < kChoices; i += 8) {
      std::uint64_t eight;
      std::memcpy(&eight, index.data() + i, 8);
      eight ^= kOnes * entry;
      const std::uint64_t zero = (eight - kOnes) & ~eight & (kOnes << 7);
      if (zero != 0) return i + static_cast<std::size_t>(std::countr_zero(zero)) / 8;
    }
    return kChoices;
  }
  return static_cast<std::size_t>(std::find(index.begin(), index.end(), entry) - index.begin());
}

/// What a byte may become that holds these pixels, of `depth` bits each, the first one in the highest bits: of all
/// combinations, the kChoices that are worse by the least. An excess is the sum of theirs, which must fit.
Choices together(std::span<const Choices> pixels, unsigned depth);

class NearEntries {
 public:
  explicit NearEntries(std::span<const Rgba> palette);

  /// The entries that the colour may become whose excess is at most `limit`; if these are more than kChoices, the
  /// nearest. `nearest` is the nearest of them. `weight`: the excess of a squared level.
  [[nodiscard]] Choices of(Rgba color, std::uint8_t nearest, float weight, std::uint16_t limit) const;

 private:
  struct Entry {
    std::array<float, 4> point;
    float distance;  // to the one in whose list this is
    std::uint8_t index;
    Kind kind;
  };
  std::vector<std::vector<Entry>> lists_;  // for each entry all of them, itself first, by their distance
};

}  // namespace chromapress
