// How much an error counts where it is: less in texture, which hides it, as structural similarity (Wang et al. 2004)
// has it.
#pragma once

#include <span>
#include <vector>

#include "histogram.hpp"

namespace chromapress {

/// Weights of squared errors, by the variance of the luma in windows of 7x7 pixels. Keeps a few rows, not the image.
class Activity {
 public:
  explicit Activity(const Pixels& pixels);
  /// The weights of row y: their squares have the mean 1 over the image, but for the largest and smallest, which are
  /// clipped. Row 0 begins anew; others must follow in order.
  void weights(std::size_t y, std::span<float> out);

 private:
  static constexpr std::size_t kReach = 3, kRows = 2 * kReach + 1;

  void calm(std::size_t y, std::span<float> out);

  const Pixels& pixels_;
  std::vector<double> luma_;            // of the window's rows
  std::vector<double> sums_, squares_;  // of the columns to the left, over the window's rows
  std::size_t known_ = 0;               // rows
  double scale_ = 1;
};

}  // namespace chromapress
