// For each pixel the palette entries that it may become, and how much worse than the nearest each of them is. Where
// several pixels share a byte, also for these together.
#pragma once

#include <array>
#include <cstdint>
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
