"""How a picture is to be turned and mirrored before it is seen."""

import numpy as np

from input_pipeline.formats import notes

# A matrix's numbers, as ISO/IEC 14496-12 keeps them in a track's header.
_ONE = 1 << 16


def matrix_of(data: bytes) -> np.ndarray:
    """Return the display matrix of a frame's side data, [2 2]: (x, y) to (x', y').

    The nine numbers are a b u, c d v, x y w: x' = a x + c y and y' = b x + d y, in
    16.16 fixed point and with y downwards. Without sense it is the identity.
    """
    if len(data) < 36:
        return np.eye(2)
    a, b, _, c, d = np.frombuffer(data, np.int32, 5) / _ONE
    matrix = np.array([[a, c], [b, d]])
    return matrix if abs(np.linalg.det(matrix)) > 1e-6 else np.eye(2)


def upright(matrix: np.ndarray) -> np.ndarray:
    """Return the quarter turn or mirrored quarter turn nearest to a matrix, [2 2]."""
    # The nearest orthogonal matrix, whatever the scale.
    left, _, right = np.linalg.svd(matrix)
    turned = left @ right
    across = abs(turned[0, 0]) >= abs(turned[0, 1]) - 1e-9
    kept = np.array([[across, not across], [not across, across]])
    nearest = np.where(kept, np.sign(turned), 0).astype(int)
    angle = np.degrees(np.arccos(np.clip(abs(turned[kept]).min(), 0, 1)))
    if angle > 1:
        notes.note(
            "turned by no quarter",
            f"shown {angle:.0f} degrees from the nearest quarter turn, to which it is "
            "turned",
        )
    return nearest


def turn(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return a picture [h w ...] as ``upright``'s matrix shows it."""
    if matrix[0, 0] == 0:  # x' is made of y
        image = image.swapaxes(0, 1)
        right, down = matrix[0, 1], matrix[1, 0]
    else:
        right, down = matrix[0, 0], matrix[1, 1]
    if right < 0:
        image = image[:, ::-1]
    if down < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)
