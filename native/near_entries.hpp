// For each pixel the palette entries that it may take, and what each costs more than the nearest.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "histogram.hpp"

namespace chromapress {

/// The most entries that a pixel can choose from.
inline constexpr std::size_t kChoices = 16;

/// What a pixel may become. Unused places repeat the first entry.
struct Choices {
  std::array<std::uint8_t, kChoices> index{};   // the nearest first
  std::array<std::uint16_t, kChoices> excess{};  // of the squared error over the nearest's, in the finder's unit
  std::size_t n = 0;

  /// Where `entry` is in `index`; kChoices if it is not.
  [[nodiscard]] std::size_t place(std::uint8_t entry) const;
};

class NearEntries {
 public:
  /// Entries of the pixel's own kind whose excess is at most `limit`.
  NearEntries(std::span<const Rgba> palette, std::uint16_t limit);
  /// `nearest` is the pixel's nearest entry; one unit of excess is `unit` squared levels.
  [[nodiscard]] Choices of(Rgba color, std::uint8_t nearest, double units_per_squared_level) const;

 private:
  struct Neighbor {
    float distance;
    std::uint8_t entry;
  };
  std::vector<Point> points_;
  std::vector<std::vector<Neighbor>> neighbors_;  // of each entry, its own kind, nearest first, itself first
  std::uint16_t limit_;
};

}  // namespace chromapress
